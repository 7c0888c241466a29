"""Print what each stage of the last runs cost, from the workflow's own benchmark files.

python workflow/scripts/timings.py [results/benchmarks]
"""

import sys
from pathlib import Path

from mvc.console.terminal import replace_unprintable
from mvc.report.facts import summarise_stages


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
