"""The workflow through a real SLURM: a cluster of one node, which the tests start and end."""

import csv
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml
from project_tree import REPO, copy_parts
from rule_texts import GPU, LOCAL
from workflow_run import SNAKEMAKE

TOOLS = ("slurmctld", "slurmd", "sbatch", "srun", "munged")
MISSING = [t for t in TOOLS if not shutil.which(t, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")]
pytestmark = [
    pytest.mark.slurm,
    pytest.mark.slow,
    pytest.mark.skipif(
        bool(MISSING), reason=f"no {', '.join(MISSING)}: apt-get install slurm-wlm munge"
    ),
]
PROFILE = ("--profile", "slurm", "--slurm-status-command", "squeue", "--latency-wait", "10")
PROFILE += ("--slurm-init-seconds-before-status-checks", "3", "--jobs", "4")
TABLE = "results/tables/table1.csv"
RUN = "rule_classifiers_wildcards_photos_wrn-10-1_"  # an arm's job, before arm and seed


@pytest.fixture(scope="module")
def cluster() -> Iterator[dict]:
    """The environment in which a SLURM answers; its folder's path is short, for its sockets."""
    folder = tempfile.mkdtemp(prefix="mvc-", dir="/tmp")
    script = str(REPO / "tests/slurm/cluster.sh")
    try:
        subprocess.run([script, "up", folder], check=True, timeout=120)
        paths = {"SLURM_CONF": f"{folder}/etc/slurm.conf"}
        paths["PATH"] = f"{folder}/bin:{os.environ['PATH']}"
        yield {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", **paths}
    finally:
        subprocess.run([script, "down", folder], check=True, timeout=120)
        shutil.rmtree(folder)


def ask(cluster: dict, *command: str) -> str:
    return subprocess.run(
        command, env=cluster, check=True, capture_output=True, text=True, timeout=60
    ).stdout


def jobs(cluster: dict, after: int = 0) -> list[tuple[int, str, str, str]]:
    """Number, state, rule with its wildcards, and GPU request of jobs, in order of submission."""
    fields = "JobID:12,State:16,Comment:120,tres-per-job:20"
    lines = ask(cluster, "squeue", "-h", "-t", "all", "-O", fields).splitlines()
    found = sorted((int(number), *rest) for number, *rest in map(str.split, lines))
    return [job for job in found if job[0] > after]


@contextmanager
def started(cluster: dict, folder: Path, *arguments: str) -> Iterator[subprocess.Popen]:
    """`snakemake --profile slurm` in the background; it and its jobs end with the block."""
    command = [*SNAKEMAKE, *PROFILE, *arguments]
    with open(folder / "said.txt", "w") as said:
        run = subprocess.Popen(command, cwd=folder, env=cluster, stdout=said, stderr=said)
    try:
        yield run
    finally:
        run.kill()
        run.wait()
        ask(cluster, "scancel", "--me")


def said(folder: Path) -> str:
    return (folder / "said.txt").read_text(encoding="utf-8", errors="replace")


def slurm_logs(folder: Path) -> str:
    """What SLURM wrote of the jobs that failed."""
    return "".join(file.read_text() for file in (folder / "logs/slurm").rglob("*.log"))


def until(done: Callable[[], bool], seconds: float, folder: Path) -> None:
    """Wait until something holds; fail with what snakemake said if it does not."""
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end, said(folder)[-6000:]
        time.sleep(0.3)


def rules_of(comment: str) -> set[str]:
    """The rules of a job: of one job, or of the group `text`."""
    if comment.startswith("rule_text_"):
        return {"captions", "embeddings"}
    return {comment.removeprefix("rule_").partition("_wildcards")[0]}


def content(path: Path) -> object:
    """What must be the same in two runs: bytes, or records without their times."""
    text = path.read_text(encoding="utf-8") if path.suffix in (".json", ".csv") else ""
    if path.name.endswith("_runs.csv"):
        return [{**row, "seconds": None} for row in csv.DictReader(text.splitlines())]
    if path.suffix != ".json":
        return path.read_bytes()
    record = json.loads(text)
    return record | {"seconds": None} if isinstance(record, dict) else record


def over_time(cluster: dict, number: int) -> None:
    """Let a job hang, and its time limit be over at once."""
    end = time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(time.time() + 2))
    ask(cluster, "scancel", "--signal=STOP", str(number))
    ask(cluster, "scontrol", "update", f"JobId={number}", f"EndTime={end}")


def preempted(cluster: dict, number: int) -> None:
    """Take a job's node away, as for a job of higher priority, and give it back at once."""
    ask(cluster, "scontrol", "requeue", str(number))
    end = time.monotonic() + 30
    while "PENDING" not in ask(cluster, "squeue", "-h", "-j", str(number), "-o", "%T"):
        assert time.monotonic() < end
        time.sleep(0.3)
    ask(cluster, "scontrol", "update", f"JobId={number}", "StartTime=now")


def test_a_whole_run_with_failures_equals_a_local_one(cluster, built, tmp_path):
    folder = tmp_path
    copy_parts(built, folder, "photos", "models")
    trouble = {
        "baseline": lambda number: ask(cluster, "scancel", str(number)),
        "aa": lambda number: over_time(cluster, number),
        "ra": lambda number: preempted(cluster, number),
    }
    memory = "policies:mem_mb=600 * attempt ** 2"  # MB: snakemake takes 300, the search 700
    start = time.monotonic()
    with started(cluster, folder, "--set-resources", memory, "--", TABLE) as run:
        while run.poll() is None:
            assert time.monotonic() < start + 600, said(folder)[-6000:]
            for number, state, comment, _ in jobs(cluster):
                arm = comment.removeprefix(RUN).removesuffix("_0")
                log = folder / f"logs/photos/classifiers/wrn-10-1/{arm}/0.log"
                if state == "RUNNING" and arm in trouble and log.exists():
                    trouble.pop(arm)(number)
            time.sleep(0.3)
        wall = time.monotonic() - start
    assert run.returncode == 0 and not trouble, said(folder)[-6000:]

    files = [path for path in sorted((folder / "results").rglob("*.*")) if path.suffix != ".tsv"]
    assert len(files) == 37
    for path in files:
        assert content(path) == content(built / path.relative_to(folder)), path

    sent = jobs(cluster)
    ends = {comment: [s for _, s, other, _ in sent if other == comment] for *_, comment, _ in sent}
    assert ends.pop(f"{RUN}baseline_0") == ["CANCELLED", "COMPLETED"]
    assert ends.pop(f"{RUN}aa_0") == ["TIMEOUT", "COMPLETED"]
    assert ends.pop("rule_policies_wildcards_photos") == ["FAILED", "COMPLETED"]
    assert "Exceeded job memory limit" in slurm_logs(folder)
    assert set(map(tuple, ends.values())) == {("COMPLETED",)} and len(ends) == 13
    for state in ("CANCELLED", "TIMEOUT", "FAILED"):
        assert f"SLURM status is: '{state}'" in said(folder)

    for *_, comment, request in sent:
        assert not rules_of(comment) & LOCAL
        assert request == ("gres:gpu:1" if rules_of(comment) <= GPU else "N/A"), comment
    stages = sum(
        float(file.read_text().splitlines()[-1].split("\t")[0])
        for file in (folder / "results/benchmarks").rglob("*.tsv")
    )
    print(f"{len(sent)} jobs, {wall:.0f} s on the clock, {stages:.0f} s in the stages' scripts")


def test_interrupted_and_edited_while_jobs_wait(cluster, built, tmp_path):
    """An interrupt cancels the jobs; a job that waited while its settings were edited refuses."""
    folder = tmp_path
    copy_parts(built, folder, "photos", "models")
    for place in ("results", ".snakemake/metadata"):
        shutil.copytree(built / place, folder / place)
    (folder / TABLE).unlink()
    config, node = folder / "config/config.yaml", os.uname().nodename
    for arm in ("baseline", "ra"):
        (folder / f"results/photos/classifiers/wrn-10-1/{arm}/0.json").unlink()
    last = max((number for number, *_ in jobs(cluster)), default=0)

    def waiting() -> bool:
        return [state for _, state, *_ in jobs(cluster, last)] == ["PENDING", "PENDING"]

    ask(cluster, "scontrol", "update", f"NodeName={node}", "State=drain", "Reason=test")
    with started(cluster, folder, "--", TABLE) as run:
        until(waiting, 60, folder)
        run.send_signal(signal.SIGINT)
        run.wait(60)
        assert {state for _, state, *_ in jobs(cluster, last)} == {"CANCELLED"}

    last = max(number for number, *_ in jobs(cluster))
    with started(cluster, folder, "--retries", "0", "--", TABLE) as run:
        until(waiting, 60, folder)
        settings = yaml.safe_load(config.read_text(encoding="utf-8"))
        settings["classifiers"]["arms"]["baseline"]["steps"] = 4
        config.write_text(yaml.safe_dump(settings, sort_keys=False, allow_unicode=True), "utf-8")
        ask(cluster, "scontrol", "update", f"NodeName={node}", "State=resume")
        assert run.wait(200) != 0
    assert {state for _, state, *_ in jobs(cluster, last)} == {"FAILED"}
    assert slurm_logs(folder).count("after this run had started") >= 2
    assert not (folder / "results/photos/classifiers/wrn-10-1/baseline/0.json").exists()

    last = max(number for number, *_ in jobs(cluster))
    with started(cluster, folder, "--", TABLE) as run:
        assert run.wait(200) == 0, said(folder)[-6000:]
    done = {comment: state for _, state, comment, _ in jobs(cluster, last)}
    assert done == {f"{RUN}{arm}_0": "COMPLETED" for arm in ("baseline", "ra")}
    record = folder / "results/photos/classifiers/wrn-10-1/baseline/0.json"
    assert json.loads(record.read_text(encoding="utf-8"))["steps"] == 4
