"""How far each rule is, of jobs that Snakemake reports to its loggers."""

import logging

import pytest
from mvc.console.rules import Rules


@pytest.fixture
def rules(monkeypatch) -> Rules:
    """The handler of a run of three classifiers and one U-Net, on a clock that a test sets."""
    monkeypatch.setattr("mvc.console.rules.time.monotonic", lambda: rules.now)
    rules = Rules()
    rules.now = 0.0
    tell(rules, "run_info", stats={"unet": 1, "classifiers": 3, "total": 4})
    return rules


def tell(rules: Rules, event: str, **fields) -> None:
    rules.emit(logging.makeLogRecord({"event": event, **fields}))


def test_list_progress_says_each_rule_s_jobs_and_time_left_once(rules):
    tell(rules, "job_info", jobid=1, rule_name="unet")
    tell(rules, "job_finished", job_id=1)
    rules.now = 100.0
    for jobid in (2, 3):
        tell(rules, "job_info", jobid=jobid, rule_name="classifiers")
    assert not list(rules.list_progress()), "a rule of one job, and one of which none has ended"
    rules.now = 130.0
    tell(rules, "job_finished", job_id=3)
    assert list(rules.list_progress()) == ["classifiers: 1 of 3 jobs  2.0/min  1 min 0 s left"]
    assert not list(rules.list_progress())
    rules.now = 160.0
    tell(rules, "job_finished", job_id=2)
    tell(rules, "job_info", jobid=4, rule_name="classifiers")
    assert list(rules.list_progress()) == ["classifiers: 2 of 3 jobs  2.0/min  30 s left"]
    tell(rules, "job_finished", job_id=4)
    assert not list(rules.list_progress()), "all have ended"


def test_a_job_of_an_unknown_rule_is_passed_over(rules):
    tell(rules, "job_finished", job_id=9)
    assert not list(rules.list_progress())
