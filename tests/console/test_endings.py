"""What a run says at its end, of jobs that Snakemake reports to its loggers."""

import logging
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from mvc.console.endings import KILLED, STOPPED, Jobs, drop_repeated, select_last_lines
from workflow_run import SNAKEMAKE, snakemake

TABLES = ("results/tables/table1.csv", "results/tables/table5.csv")
LOG = """goes on
700 of 1,500 steps  5.8/s  2 min 20 s left  loss 0.1
Traceback (most recent call last):
  File "shards.py", line 1, in read
    read()
    ^^^^^^
pyarrow.lib.ArrowInvalid: no magic bytes

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File "unet.py", line 1, in <module>
    main(snakemake)
ValueError: bank.parquet is cut off:
  it ends at byte 500
Delete it and run again
"""

FAILED = """RuleException:
CalledProcessError in file "unet.smk", line 33:
Command 'python unet.py' {}"""


@pytest.fixture
def jobs(tmp_path, monkeypatch):
    """The handler of a run that has just begun, in a folder with logs of its own."""
    monkeypatch.chdir(tmp_path)
    Path("logs/photos").mkdir(parents=True)
    return Jobs()


def tell(jobs: Jobs, event: str, **fields) -> None:
    jobs.emit(logging.makeLogRecord({"event": event, **fields}))


def start(jobs: Jobs, jobid: int, *, output=(), log=()) -> None:
    tell(jobs, "job_info", jobid=jobid, output=list(output), log=list(log))


def fail(jobs: Jobs, jobid: int, rule: str, *logs: str, said=None) -> None:
    tell(jobs, "job_error", jobid=jobid, rule_name=rule, log=list(logs), rule_msg=said)


def test_where_a_log_has_no_error_the_cluster_s_own_is_reported(jobs):
    """A job over its memory ends without a word of its own."""
    Path("logs/photos/unet.log").write_text("700 of 1,500 steps\n")
    Path("slurm").mkdir()
    Path("slurm/7.log").write_text("host: node1\nslurmstepd: error: Exceeded job memory limit\n")
    fail(jobs, 7, "unet", "logs/photos/unet.log", "slurm/7.log", said="SLURM status is: FAILED")
    assert jobs.describe_failures().splitlines() == [
        "Stage unet failed (photos/unet):",
        "SLURM status is: FAILED",
        "",
        "700 of 1,500 steps",
        "",
        "The end of slurm/7.log:",
        "host: node1",
        "slurmstepd: error: Exceeded job memory limit",
        "",
        "The whole log: logs/photos/unet.log, slurm/7.log",
    ]


def test_what_was_made_is_reported_in_one_line_without_targets(jobs, monkeypatch):
    for jobid in range(1, 4):
        start(jobs, jobid, output=[f"{jobid}.csv"], log=[f"logs/{jobid}.log"])
    tell(jobs, "job_finished", job_id=1)  # `--quiet progress` says of none that it finished
    start(jobs, 0)
    monkeypatch.setattr("mvc.console.endings.time.monotonic", lambda: jobs.start + 551)
    assert jobs.summarise_success([]) == "3 jobs in 9 min 11 s"
    Path("b.md").touch()
    assert jobs.summarise_success({"b.csv", "a.csv"}) == "3 jobs in 9 min 11 s; b.md, a.csv"
    assert jobs.summarise_success("abcdef") == "3 jobs in 9 min 11 s; b.md, a, c, d, 2 more"
    Path("report").mkdir()
    Path("report/index.html").touch()
    assert jobs.summarise_success(["report"]).endswith("; report/index.html")
    pages = {"results/a/README.md", "results/x/tables/table1.md"}
    assert jobs.summarise_success(pages).endswith(
        "; results/x/tables/table1.md, results/a/README.md"
    )


def test_a_failed_job_is_reported_with_the_end_of_its_log_and_the_fix_last(jobs):
    Path("logs/photos/unet.log").write_text(LOG)
    fail(jobs, 7, "unet", "logs/photos/unet.log", "slurm/7.log")
    assert jobs.describe_failures().splitlines() == [
        "Stage unet failed (photos/unet):",
        "",
        "goes on",
        "700 of 1,500 steps  5.8/s  2 min 20 s left  loss 0.1",
        "ValueError: bank.parquet is cut off:",
        "  it ends at byte 500",
        "Delete it and run again",
        "",
        "The whole log: logs/photos/unet.log, slurm/7.log",
    ]


def test_a_job_that_a_later_attempt_finishes_did_not_fail(jobs):
    Path("logs/photos/unet.log").write_text(LOG)
    fail(jobs, 7, "unet", "logs/photos/unet.log")
    tell(jobs, "job_finished", job_id=7)
    assert jobs.describe_failures() == STOPPED


def test_what_a_person_stops_did_not_fail(jobs):
    jobs.emit(logging.makeLogRecord({"msg": "Terminating processes on user request, this might …"}))
    fail(jobs, 7, "unet", "logs/photos/unet.log")
    assert jobs.describe_failures() == STOPPED


def test_of_a_group_only_the_job_that_failed_is_reported(jobs):
    Path("logs/photos/captions.log").write_text("photos/captions: 12 captions in 3 s (4.0/s)\n")
    Path("logs/photos/embeddings.log").write_text(LOG)
    infos = [{"jobid": 1}, {"jobid": 2}]
    tell(jobs, "group_error", aux_logs=["slurm/9.log"], job_error_info=infos)
    fail(jobs, 1, "captions", "logs/photos/captions.log")
    fail(jobs, 2, "embeddings", "logs/photos/embeddings.log")
    said = jobs.describe_failures()
    assert said.count("Stage ") == 1 and "Stage embeddings failed" in said
    assert said.endswith("The whole log: logs/photos/embeddings.log, slurm/9.log")


def test_a_killed_job_has_a_fix_too(jobs):
    Path("logs/photos/unet.log").write_text("1 of 9 steps\n")
    fail(jobs, 7, "unet", "logs/photos/unet.log")
    assert f"\n1 of 9 steps\n{KILLED}\n" in jobs.describe_failures()
    fail(jobs, 7, "unet", "logs/photos/unet.log", said="status is OUT_OF_MEMORY")
    assert (
        "status is OUT_OF_MEMORY" in jobs.describe_failures()
        and KILLED not in jobs.describe_failures()
    )


def test_of_many_failed_jobs_five_are_reported(jobs):
    for jobid in range(8):
        fail(jobs, jobid, "classifiers", f"logs/photos/{jobid}.log")
    said = jobs.describe_failures()
    assert said.count("The whole log: ") == 5 and said.splitlines()[-1].startswith("3 more jobs")


def test_a_log_of_an_earlier_run_is_not_shown(jobs):
    log = Path("logs/photos/unet.log")
    log.write_text(LOG)
    os.utime(log, (jobs.wall - 60, jobs.wall - 60))
    fail(jobs, 7, "unet", str(log))
    said = jobs.describe_failures()
    assert "cut off" not in said and "has no error: see the messages above" in said


def test_the_end_of_a_long_log_is_short(jobs):
    text = "".join(f"line {i}\r" for i in range(100)) + LOG
    lines = select_last_lines(text, 6)
    assert lines[0] == "line 99" and lines[-1] == "Delete it and run again" and len(lines) == 6
    assert select_last_lines("one\n\ntwo\n", 1) == ["two"]
    assert select_last_lines("") == []


@pytest.mark.parametrize(
    ("message", "event", "kept"),
    [
        ("Error in rule unet:", "job_error", False),
        ("Error in group 5f", "group_error", True),
        (FAILED.format("returned non-zero exit status 1."), "error", False),
        (FAILED.format("died with <Signals.SIGKILL: 9>."), "error", True),
        ("WorkflowError:\nAt least one job did not complete successfully.", "error", False),
        ("WorkflowError:\nno space left on the disk", "error", True),
        ("Exiting because a job execution failed. Look above for error messages", None, False),
        ("Stage unet failed (photos/unet):", None, True),
    ],
)
def test_drop_repeated_keeps_what_is_said_nowhere_else(message, event, kept):
    record = logging.makeLogRecord({"msg": message} | ({"event": event} if event else {}))
    assert drop_repeated(record) is kept


def test_drop_repeated_keeps_what_an_executor_says():
    said = {"event": "job_error", "msg": "Error in rule unet:", "rule_msg": "status is: 'TIMEOUT'"}
    assert drop_repeated(logging.makeLogRecord(said))


@pytest.mark.slow
def test_a_run_ends_with_one_line_and_without_work_with_none(copied):
    (copied / "results/tables/table1.csv").unlink()
    said = snakemake(copied, "--quiet", "rules", "--", "results/tables/table1.csv")
    assert said.count("1 job in ") == 1 and "; results/tables/table1.md\n" in said
    assert said.count("\nTable 1: ") == 1
    for arguments in ([], ["--dry-run", "--forceall"]):
        said = snakemake(copied, *arguments, "--", "results/tables/table1.csv")
        assert " job in " not in said and " jobs in " not in said
    last = (copied / "logs/tables/table1.log").read_text().splitlines()[-1]
    assert last.startswith("tables/table1: 6 runs in ")


@pytest.mark.slow
def test_a_run_that_is_stopped_says_how_to_go_on(copied):
    """Ctrl-C, which reaches the jobs too; the second table cannot begin before the first ends."""
    command = [*SNAKEMAKE, "--cores", "1", "--forcerun", "table", "--", *TABLES]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    logs = [copied / f"logs/tables/{Path(table).stem}.log" for table in TABLES]
    for log in logs:
        log.unlink()
    with subprocess.Popen(command, cwd=copied, start_new_session=True, **pipes) as process:
        while not any(log.exists() for log in logs) and process.poll() is None:
            time.sleep(0.02)
        os.killpg(process.pid, signal.SIGINT)
        said, _ = process.communicate(timeout=300)
    assert process.returncode and STOPPED in said and "failed (" not in said


@pytest.mark.slow
def test_a_failure_is_reported_once_with_the_fix_last(copied):
    captions = copied / "results/photos/captions.parquet"
    os.truncate(captions, 100)
    embeddings = "results/photos/embeddings.safetensors"
    (copied / embeddings).unlink()
    said = snakemake(copied, "--quiet", "rules", "--", embeddings, ok=False)
    assert said.count("is cut off") == 1 and said.count("Traceback") == 0
    assert "Exception" not in said and "Error in rule" not in said and "WorkflowError" not in said
    end = said[said.index("Stage embeddings failed (photos/embeddings):") :]
    fix, log = end.index("delete it and run again"), end.index("The whole log: logs/photos/embed")
    assert "\n\n" in end[fix:log] and end[fix:log].count("\n") == 2, "the fix comes last"
    text = (copied / "logs/photos/embeddings.log").read_text()
    assert "Traceback" in text and "in _read_one" in text


def test_the_report_of_an_images_stage_is_handed_on_when_it_has_ended(jobs):
    seen = []
    jobs.on_images = seen.append
    Path("images.json").touch()
    for jobid, rule in ((1, "images"), (2, "unet")):
        output = [f"{rule}.parquet", f"{rule}.json"]
        tell(jobs, "job_info", jobid=jobid, output=output, log=[], rule_name=rule)
    assert not seen
    tell(jobs, "job_finished", job_id=2)
    tell(jobs, "job_finished", job_id=1)
    assert seen == [Path("images.json")]
