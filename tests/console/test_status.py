"""What is done, running, failed or stale, and why: on a dry run's words, and on a built project."""

import os
import subprocess
import sys
import time
from base64 import urlsafe_b64encode
from pathlib import Path

import pytest
from mvc.console.alive import FILE, hold_lock
from mvc.console.status import (
    Job,
    State,
    check_configfiles,
    count_states,
    describe_states,
    explain_reason,
    group_states,
    judge_job,
    parse_dry_run,
    read_markers,
)

DRY_RUN = """
[Sun Nov 22 22:16:10 2026]
group job 5f (jobs in lexicogr. order):

    [Sun Nov 22 22:16:10 2026]
    rule captions:
        input: results/photos/images/train.parquet
        output: results/photos/captions.parquet
        log: logs/photos/captions.log
        jobid: 4
        reason: Input files updated by another job: results/photos/images/train.parquet
        wildcards: dataset=photos

[Sun Nov 22 22:16:10 2026]
localrule table:
    input: results/photos/classifiers/wrn-10-1/ra/0.json
    output: results/tables/table1.csv, results/tables/table1.md
    log: logs/tables/table1.log
    jobid: 1
    reason: Missing output files: results/tables/table1.csv

[Sun Nov 22 22:16:10 2026]
localrule all:
    input: results/tables/table1.csv
    jobid: 0
    reason: Input files updated by another job: results/tables/table1.csv
"""
BANK = "results/photos/bank.parquet"
PARAMS = (
    "Params have changed since last execution: Union of exclusive params before and now across "
    "all output: before: {} now: {} "
)


def job(path: str, rule: str = "unet", reason: str = "") -> Job:
    log = path.replace("results", "logs").rpartition(".")[0] + ".log"
    return Job(rule, (path,), log, reason)


def test_a_dry_run_is_read_with_groups_and_without_targets():
    captions, table = parse_dry_run(DRY_RUN)
    assert captions == Job(
        "captions",
        ("results/photos/captions.parquet",),
        "logs/photos/captions.log",
        "Input files updated by another job: results/photos/images/train.parquet",
    )
    assert table.rule == "table" and len(table.output) == 2


@pytest.mark.parametrize(
    ("path", "rule", "row"),
    [
        ("results/photos/bank.parquet", "banks", ("photos", "banks")),
        ("results/photos/augmented", "augmented", ("photos", "augmented")),
        ("results/photos/synthetic/real/0-of-2.parquet", "real", ("photos", "synthetic")),
        ("results/tables/table1.csv", "table", ("", "tables")),
    ],
)
def test_a_job_belongs_to_the_stage_of_its_files(path, rule, row):
    assert job(path, rule).row == row


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("Missing output files: a; Input files updated by another job: b", ""),
        ("Incomplete output files: a", "stopped before its end"),
        ("Updated input files: a", "input files changed"),
        ("Set of input files has changed since last execution", "other input files"),
        ("Input files updated by another job: b", "an input is made again"),
        (PARAMS.format("'45296cddc6a1'", "'2e13be9c2797'"), "code changed"),
        (PARAMS.format("{'steps': 1}", "{'steps': 2}"), "steps 1 → 2"),
        (
            PARAMS.format("'45296cddc6a1',{'a': 1}", "'2e13be9c2797'"),
            "settings changed; code changed",
        ),
        ("Forced execution", "Forced execution"),
    ],
)
def test_a_reason_is_reported_in_a_few_words(reason, words):
    assert explain_reason(reason) == words


def test_markers_give_the_files_that_jobs_have_begun(tmp_path):
    short, long = "results/photos/bank.parquet", "results/" + 300 * "x"
    (tmp_path / urlsafe_b64encode(short.encode()).decode()).touch()
    letters = urlsafe_b64encode(long.encode()).decode()
    (tmp_path / f"@{letters[:254]}").mkdir()
    (tmp_path / f"@{letters[:254]}" / letters[254:]).touch()
    (tmp_path / "migration_underway").touch()
    assert set(read_markers(tmp_path)) == {short, long}
    assert read_markers(tmp_path / "absent") == {}


def test_how_a_job_stands_is_read_from_marker_and_log(tmp_path):
    unet = job("results/photos/unet.json", reason="Missing output files: a")
    log, since = tmp_path / unet.log, time.time()
    started, at = {unet.output[0]: since}, {"root": tmp_path}
    assert judge_job(unet, started={}, run="", **at) == State("to make")
    assert judge_job(unet, started=started, run="running", **at) == State("submitted")
    log.parent.mkdir(parents=True)
    log.write_text("Loading\r7 of 9 steps  1.0/s  2.0 s left\n")
    assert judge_job(unet, started=started, run="running", **at) == State(
        "running", "7 of 9 steps  1.0/s  2.0 s left"
    )
    killed = judge_job(unet, started=started, run="killed", **at)
    assert killed == State("killed", "7 of 9 steps  1.0/s  2.0 s left")
    assert judge_job(unet, started=started, run="", **at).kind == "stopped"
    os.utime(log, (since - 60, since - 60))
    assert judge_job(unet, started=started, run="running", **at) == State("submitted"), (
        "an earlier log"
    )
    log.write_text('Traceback (most recent call last):\n  File "a"\nValueError: no\nmend\n')
    told = f"ValueError: no ({unet.log})"
    assert judge_job(unet, started={}, run="", **at) == State("failed", told)
    log.write_text("photos/unet: 9 steps in 9 s\n")
    stale = job("results/photos/unet.json", reason="Updated input files: a")
    assert judge_job(stale, started={}, run="", **at) == State("stale", "input files changed")


def test_rows_are_in_the_order_of_the_pipeline_and_tables_last():
    paths = ("results/tables/table1.csv", "results/b/unet/x.json", "results/a/unet/x.json")
    every = [*map(job, paths), job("results/a/captions.parquet", "captions")]
    found = group_states(every, {every[0].log: State("to make")}, ["captions", "unet", "tables"])
    assert list(found) == [("a", "captions"), ("a", "unet"), ("b", "unet"), ("", "tables")]
    states = [state for row in found.values() for state in row]
    assert count_states(states) == "3 of 4 jobs done; 1 to make"


def test_a_row_tells_each_kind_with_its_commonest_words():
    states = [State("done"), State("failed", "no"), State("to make"), State("to make")]
    assert describe_states(states) == [("failed", "1 failed: no"), ("to make", "2 to make")]
    assert describe_states([State("done")]) == [("done", "done")]
    stale = [State("stale", word) for word in "aabcde"]
    assert [line for _, line in describe_states(stale)] == [
        "6 stale",
        "  a",
        "  b",
        "  c",
        "  and 2 more",
    ]


@pytest.mark.parametrize(
    "arguments, missing",
    [
        (["--configfile", "here.yaml", "--", "tables"], None),
        (["--configfile=here.yaml", "tables"], None),
        (["tables", "--configfiles", "here.yaml", "--cores", "1"], None),
        (["--configfile", "here.yaml", "tables"], "tables"),
        (["--configfile", "gone.yaml", "--", "tables"], "gone.yaml"),
        (["--configfile=gone.yaml"], "gone.yaml"),
    ],
)
def test_check_configfiles_names_what_is_no_file(tmp_path, monkeypatch, arguments, missing):
    monkeypatch.chdir(tmp_path)
    Path("here.yaml").write_text("seed: 1\n")
    if missing is None:
        check_configfiles(arguments)
        return
    with pytest.raises(FileNotFoundError, match=f"--configfile {missing}: .*`--`"):
        check_configfiles(arguments)


def run_status(folder: Path, *arguments: str) -> dict[str, str]:
    """What `status` prints of each stage, by the stage's name; its last line under `""`."""
    command = [sys.executable, "workflow/scripts/status.py", *arguments]
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=True)
    text = done.stdout.strip().splitlines()
    words = [line.strip().removeprefix("all together").removeprefix("photos") for line in text]
    words = [line.split() for line in words]
    return {line[0]: " ".join(line[1:]) for line in words if line} | {"": text[-1].strip()}


@pytest.mark.slow
def test_status_of_a_built_project(built, tmp_path):
    """Done, stale with the cause, failed, stopped, running; nothing is changed by asking."""
    said = run_status(built)
    assert said["classifiers"].endswith("done") and said["tables"].endswith("done")
    assert said[""].endswith(" jobs done") and "to make" not in " ".join(said.values())
    overlay = tmp_path / "overlay.yaml"
    overlay.write_text("banks: {coarse: 1}\n", encoding="utf-8")
    said = run_status(built, "--configfile", "config/config.yaml", str(overlay), "--", "all")
    assert said["captions"] == said["policies"] == "1 of 1 done"
    assert said["banks"] == "0 of 1 1 stale: coarse 2 → 1"
    assert said["unet"] == "0 of 3 3 stale: an input is made again"
    assert "; " in said[""] and said[""].endswith(" stale")


@pytest.mark.slow
def test_status_of_what_failed_or_is_under_way(copied):
    """`test_how_a_job_stands_is_read_from_marker_and_log` has the other states, too."""
    root, log = copied / ".snakemake", copied / "logs/photos/banks.log"
    (copied / BANK).unlink()
    log.write_text('Traceback (most recent call last):\n  File "a"\nValueError: no\n')
    said = run_status(copied, "--", BANK)
    assert said["banks"] == "0 of 1 1 failed: ValueError: no (logs/photos/banks.log)"
    marker = root / "incomplete" / urlsafe_b64encode(BANK.encode()).decode()
    lock = root / "locks/0.output.lock"
    marker.write_text("{}")
    log.write_text("5 of 12 recipes  1.0/s  7.0 s left\n")
    lock.parent.mkdir(exist_ok=True)
    lock.write_text(f"{BANK}\n")
    (root / FILE.name).write_text("another machine")
    said = run_status(copied, "--", BANK)
    assert said["banks"].startswith("0 of 1 1 running: 5 of 12 recipes"), "by another machine"
    assert said[""].endswith("snakemake --unlock")
    with hold_lock(root / FILE.name):
        said = run_status(copied, "--", BANK)
    assert said["banks"].startswith("0 of 1 1 running: 5 of 12 recipes")
    assert said[""] == "A run is in progress."
    said = run_status(copied, "--", BANK)
    assert said["banks"].startswith("0 of 1 1 killed: 5 of 12 recipes")
    assert said[""].startswith("The run was killed: run snakemake --unlock")
    assert lock.exists() and marker.exists()


@pytest.mark.slow
def test_status_shows_what_is_wrong_with_the_configuration(built, tmp_path):
    overlay = tmp_path / "overlay.yaml"
    overlay.write_text("banks: {coarse: -1}\n", encoding="utf-8")
    command = [sys.executable, "workflow/scripts/status.py", "--configfile", "config/config.yaml"]
    done = subprocess.run(
        [*command, str(overlay), "--", "all"],
        cwd=built,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1 and "banks.coarse = -1" in done.stderr
