"""The estimate as a page for a person."""

from collections.abc import Sequence

from mvc.estimate.cost import Line
from mvc.core.markdown import count, table


def page(rows: Sequence[Line], throughput: float | int, measured: str) -> str:
    """The estimate for a person, in Markdown.

    Args:
        throughput: operations a second of one device.
        measured: on what, for instance `measured on this CPU`.
    """

    def row(name: str, part: Sequence[Line], *items: str) -> list[str]:
        operations = sum(line.operations for line in part)
        hours, disk = operations / throughput / 3600, sum(line.disk for line in part)
        jobs = count(sum(line.jobs for line in part))
        return [
            name,
            jobs,
            *items,
            *(_short(value) for value in (operations / 1e15, hours, disk / 1e9)),
        ]

    headings = ["10^15 operations", "device hours", "GB on disk"]
    stages, names = dict.fromkeys(r.stage for r in rows), dict.fromkeys(r.dataset for r in rows)
    by_stage = [[r for r in rows if r.stage == stage] for stage in stages]
    by_set = [[r for r in rows if r.dataset == name] for name in names]
    items = [f"{count(sum(r.items for r in part))} {part[0].unit}" for part in by_stage]
    first = [row(*given) for given in zip(stages, by_stage, items, strict=True)]
    second = [row(name, part) for name, part in zip(names, by_set, strict=True)]
    return "\n\n".join([
        "# What the tables of this configuration would cost",
        table(["stage", "jobs", "items", *headings], [*first, row("all", rows, "")]),
        table(["data set", "jobs", *headings], second),
        f"Device hours at {throughput / 1e12:,.2f} × 10^12 operations a second, {measured}; a "
        "multiplication and its addition count as two. Small networks and batches run below that "
        "rate: take the hours for a lower bound. `estimate.teraflops` names another machine's "
        "rate. Left out: downloads, reading and writing, figures, and the arms that stand in no "
        "table.",
    ]) + "\n"  # fmt: skip


def _short(value: float | int) -> str:
    """Two significant digits of a small number, one decimal of a larger one."""
    return f"{value:,.1f}" if value >= 1 or not value else f"{float(f'{value:.2g}'):f}".rstrip("0")
