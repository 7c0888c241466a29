"""How far each rule of a run is: its jobs that have ended, of all, and the time left."""

import logging
import time
from collections import Counter
from collections.abc import Iterator

from mvc.console.progress import format_progress


class Rules(logging.Handler):
    """A log handler that counts the jobs of each rule: all of the run, and those that ended."""

    def __init__(self):
        super().__init__()
        self.total, self.ended, self.shown = {}, Counter(), Counter()
        self.rules, self.starts = {}, {}  # the rule of each job; when the first job of each began

    def emit(self, record: logging.LogRecord) -> None:
        """Record one message; its fields are those that Snakemake passes to logger plugins."""
        event = getattr(record, "event", None)
        if event == "run_info":
            self.total = record.stats
        elif event == "job_info":
            self.rules[record.jobid] = record.rule_name
            self.starts.setdefault(record.rule_name, time.monotonic())
        elif event == "job_finished" and record.job_id in self.rules:
            self.ended[self.rules[record.job_id]] += 1

    def list_progress(self) -> Iterator[str]:
        """A line for each rule of which jobs ended since the last call and others are left."""
        for rule, start in list(self.starts.items()):
            done, total = self.ended[rule], self.total.get(rule, 0)
            if self.shown[rule] < done < total:
                self.shown[rule] = done
                seconds = time.monotonic() - start
                yield f"{rule}: {format_progress(done, total, 'jobs', seconds)}"
