"""Print what each stage of the last runs cost, from the workflow's own benchmark files.

python workflow/scripts/timings.py [results/benchmarks]
"""

import sys
from pathlib import Path

import pandas as pd
from mvc.console.terminal import replace_unprintable


def summarise_stages(folder: Path) -> pd.DataFrame:
    """One row per stage: number of jobs, their total and longest seconds, peak memory in MiB.

    A file `{dataset}/{stage}.tsv` or `{dataset}/{stage}/….tsv` belongs to the stage it names.
    """
    rows = []
    for file in sorted(folder.rglob("*.tsv")):
        parts = file.relative_to(folder).with_suffix("").parts
        stage = parts[0] if len(parts) == 1 or parts[0] in ("tables", "figures") else parts[1]
        job = pd.read_csv(file, sep="\t").iloc[-1]
        rows.append((stage, file.stat().st_mtime, float(job["s"]), job["max_rss"]))
    frame = pd.DataFrame(rows, columns=["stage", "end", "seconds", "max_rss"])
    frame["max_rss"] = pd.to_numeric(frame["max_rss"], errors="coerce")
    grouped = frame.groupby("stage").agg(
        jobs=("seconds", "size"),
        seconds=("seconds", "sum"),
        longest=("seconds", "max"),
        peak_mib=("max_rss", "max"),
        end=("end", "min"),
    )
    return grouped.sort_values("end").drop(columns="end")


def main() -> None:
    replace_unprintable()
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "results/benchmarks")
    table = summarise_stages(folder)
    print(f"{'stage':<14}{'jobs':>6}{'seconds':>10}{'longest':>10}{'peak MiB':>10}")
    for stage, row in table.iterrows():
        print(
            f"{stage:<14}{row.jobs:>6.0f}{row.seconds:>10.1f}{row.longest:>10.1f}"
            f"{row.peak_mib:>10.0f}"
        )


if __name__ == "__main__":
    main()
