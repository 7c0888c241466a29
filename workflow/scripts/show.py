"""Print a table in brief, or a page in full: `show.py results/tables/table1_runs.csv`"""

import shutil
import sys
from pathlib import Path

import pandas as pd
from mvc.config.table_columns import TABLES
from mvc.console.terminal import replace_unprintable
from mvc.core.markdown import fit
from mvc.tables import statistics
from mvc.tables.summary import summarise_table

ABOUT = """\
{title}: accuracy in % on {split} images, mean ± standard deviation over seeds
{about}

{summary}

{verdicts}

Next
  {page:<31} p values, and what was measured
  results/*/unet/samples.png      what the fine-tuned generators draw
  snakemake --cores all -- tables all arms, Tables 4 and 5, the figures
  README.md                       more subsets, your own images, real models
"""
VERDICTS = (
    "A gain holds if its interval (paired t-test over the seeds) lies above 0, does not hold if "
    "it lies below, and is undecided otherwise. Other labelled images vary more than seeds do."
)


def show(path: Path, width: int) -> str:
    """Format a table's runs (a CSV file), or a Markdown page, for a terminal of `width` columns."""
    if path.suffix == ".md":
        return fit(path.read_text(encoding="utf-8"), width)
    name = path.stem.removesuffix("_runs")
    runs = pd.read_csv(path)
    layout = TABLES[name]
    return ABOUT.format(
        title=name.replace("table", "Table "),
        split=runs["split"].iloc[0],
        about=fit(layout.about, width).strip(),
        summary=summarise_table(statistics.make_table(runs, layout), layout, digits=1),
        verdicts=fit(VERDICTS, width).strip(),
        page=str(path.with_name(f"{name}.md")),
    )


def main(paths: list[str]) -> None:
    replace_unprintable()
    if not paths or not all(Path(path).is_file() for path in paths):
        sys.exit(__doc__.strip())
    for path in paths:
        print(show(Path(path), shutil.get_terminal_size(fallback=(100, 24)).columns))


if __name__ == "__main__":
    main(sys.argv[1:])
