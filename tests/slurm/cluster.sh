#!/usr/bin/env bash
# cluster.sh - a throw-away SLURM cluster of one node, for tests.
#
#   cluster.sh up   DIR     start munged, slurmctld, slurmd
#   cluster.sh down DIR     end exactly the processes whose pids DIR/run records
#
# Everything (key, configuration, state, logs, sockets, pid files) lies in DIR, whose path must be
# short. After "up", `. DIR/env` sets SLURM_CONF and PATH for sbatch, squeue, snakemake.
# What the node claims to have may exceed what it has: SLURM_GPUS (2; links to /dev/null stand in),
# SLURM_CPUS (4), SLURM_MEM in MiB (200,000). No accounting database; no systemd.
# Needs Debian's slurm-wlm and munge.
set -euo pipefail
export PATH=$PATH:/usr/sbin:/sbin

die() { echo "cluster.sh: $*" >&2; exit 1; }

[ $# -eq 2 ] || { sed -n '2,11s/^# \{0,1\}//p' "$0" >&2; exit 2; }
[ "$1" != up ] || mkdir -p "$2"
[ -d "$2" ] || exit 0
dir=$(cd "$2" && pwd -P)
run=$dir/run etc=$dir/etc log=$dir/log state=$dir/state
gpus=${SLURM_GPUS:-2} cpus=${SLURM_CPUS:-4} mem=${SLURM_MEM:-200000}
node=$(hostname -s)

# alive NAME: true when the pid recorded for NAME is a live process of that name
alive() {
  local pid
  [ -s "$run/$1.pid" ] || return 1
  { pid=$(tr -dc 0-9 <"$run/$1.pid"); } 2>/dev/null || return 1 # it may go meanwhile
  [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = "$1" ] && ! grep -qs '^State:.*zombie' "/proc/$pid/status"
}

# until_ok SECONDS WHAT COMMAND...: poll every 0.1 s
until_ok() {
  local n=$(($1 * 10)) what=$2
  shift 2
  while ! "$@" >/dev/null 2>&1; do
    n=$((n - 1))
    if [ "$n" -le 0 ] || grep -qs 'fatal: ' "$log"/slurm*.log; then
      tail -n 5 "$log"/*.log >&2
      die "$what did not come up (logs: $log)"
    fi
    sleep 0.1
  done
}

# free_ports N: N free TCP ports on 127.0.0.1
free_ports() {
  python3 - "$1" <<'PY'
import socket, sys
opened = [socket.socket() for _ in range(int(sys.argv[1]))]
for one in opened:
    one.bind(("127.0.0.1", 0))
print(*[one.getsockname()[1] for one in opened])
PY
}

write_conf() {
  umask 022
  mkdir -p "$run" "$etc" "$log" "$state/ctld" "$state/slurmd" "$dir/dev" "$dir/bin"
  (umask 077; head -c 1024 /dev/urandom >"$etc/munge.key")
  read -r p_ctld p_slurmd < <(free_ports 2)
  for ((i = 0; i < gpus; i++)); do ln -s /dev/null "$dir/dev/gpu$i"; done
  cat >"$etc/slurm.conf" <<CONF
ClusterName=test
SlurmctldHost=$node(127.0.0.1)
SlurmUser=$(id -un)
SlurmdUser=$(id -un)
AuthType=auth/munge
AuthInfo=socket=$run/munge.sock
CryptoType=crypto/munge
SlurmctldPort=$p_ctld
SlurmdPort=$p_slurmd
SlurmctldPidFile=$run/slurmctld.pid
SlurmdPidFile=$run/slurmd.pid
SlurmctldLogFile=$log/slurmctld.log
SlurmdLogFile=$log/slurmd.log
StateSaveLocation=$state/ctld
SlurmdSpoolDir=$state/slurmd
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
PlugStackConfig=/dev/null
SlurmdParameters=config_overrides
ReturnToService=2
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerType=sched/backfill
SchedulerParameters=bf_interval=2,sched_interval=2,batch_sched_delay=0,sched_min_interval=0
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
AccountingStorageType=accounting_storage/none
MinJobAge=600
KillWait=5
OverTimeLimit=0
InactiveLimit=0
JobRequeue=0
GresTypes=gpu
NodeName=$node NodeAddr=127.0.0.1 CPUs=$cpus RealMemory=$mem Gres=gpu:$gpus State=UNKNOWN
PartitionName=all Nodes=$node Default=YES State=UP
CONF
  echo "NodeName=$node Name=gpu File=$dir/dev/gpu[0-$((gpus - 1))]" >"$etc/gres.conf"
  # Snakemake's plugin drops SLURM_CONF from the environment of the srun that it starts inside a
  # job, where a real cluster has /etc/slurm: this srun, first in PATH, puts it back.
  printf '#!/bin/sh\nSLURM_CONF=%s exec %s "$@"\n' "$etc/slurm.conf" "$(command -v srun)" >"$dir/bin/srun"
  chmod 755 "$dir/bin/srun"
  printf 'export SLURM_CONF=%s PATH=%s:$PATH\n' "$etc/slurm.conf" "$dir/bin" >"$dir/env"
}

case $1 in
up)
  [ ! -e "$etc" ] || die "$dir was used before: give an empty folder"
  [ ${#run} -lt 80 ] || die "$dir: path too long for unix sockets"
  for tool in munged munge slurmctld slurmd sbatch; do
    command -v $tool >/dev/null || die "$tool is missing: apt-get install slurm-wlm munge"
  done
  write_conf
  export SLURM_CONF=$etc/slurm.conf
  # --force: only a warning where DIR is private
  munged --force --key-file="$etc/munge.key" --socket="$run/munge.sock" \
    --pid-file="$run/munged.pid" --log-file="$log/munged.log" --seed-file="$state/munge.seed"
  until_ok 10 munged munge -S "$run/munge.sock" -n
  slurmctld -f "$SLURM_CONF"
  until_ok 30 slurmctld scontrol ping
  slurmd -f "$SLURM_CONF"
  until_ok 30 "the node" sh -c 'sinfo -h -o %T | grep -q idle'
  ;;
down)
  if alive slurmctld; then
    export SLURM_CONF=$etc/slurm.conf
    timeout 10 scancel --me >/dev/null 2>&1 || true
    for _ in $(seq 100); do
      [ -z "$(timeout 5 squeue -h 2>/dev/null)" ] && break
      sleep 0.1
    done
  fi
  for name in slurmd slurmctld munged; do
    if alive $name; then
      pid=$(tr -dc 0-9 <"$run/$name.pid")
      kill "$pid" || true
      for _ in $(seq 100); do alive $name || break; sleep 0.1; done
      if alive $name; then kill -9 "$pid" || true; fi
    fi
  done
  ;;
*) die "unknown verb $1" ;;
esac
