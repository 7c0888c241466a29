"""Write the demo's table and its repetitions into README and docs, and on which processor.

python workflow/scripts/readme.py    # after both were run; `make readme` does all
"""

import re
import sys
from pathlib import Path

import pandas as pd
import yaml
from mvc.config.expand import expand_config
from mvc.config.table_columns import TABLES
from mvc.tables.readme import (
    describe_repetitions,
    describe_run,
    replace_block,
    replace_section,
)
from mvc.tables.statistics import make_table
from mvc.tables.summary import summarise_table

README, PAGE = Path("README.md"), Path("docs/repetitions.md")
RUNS = Path("results/demo/tables/table1_runs.csv")
REPEATED = Path("results/repetitions/tables/repetitions.md")
PROCESSOR = Path("/proc/cpuinfo")


def name_processor() -> str:
    """Name this machine's processor as its kernel does."""
    text = PROCESSOR.read_text(encoding="utf-8") if PROCESSOR.is_file() else ""
    found = re.search(r"^model name\s*: (.*)$", text, re.MULTILINE)
    return re.sub(r"\(R\)|\(TM\)| Processor| CPU", "", found[1]).strip() if found else "unknown"


def main() -> None:
    if missing := [str(path) for path in (RUNS, REPEATED) if not path.is_file()]:
        sys.exit(f"{' and '.join(missing)}: not there; run `make readme`")
    config = expand_config(yaml.safe_load(Path("config/config.yaml").read_text(encoding="utf-8")))
    table, digits = make_table(pd.read_csv(RUNS), TABLES["table1"]), config["tables"]["digits"]
    summary = summarise_table(table, TABLES["table1"], digits=digits)
    processor, repeated = name_processor(), REPEATED.read_text(encoding="utf-8")
    page = replace_section(PAGE.read_text(encoding="utf-8"), processor, repeated)
    block = (
        f"{describe_run(config)}; {processor}:\n\n```\n{summary}\n```\n\n"
        f"{describe_repetitions(page)}"
    )
    README.write_text(replace_block(README.read_text(encoding="utf-8"), block), encoding="utf-8")
    PAGE.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
