"""Write the table of `make demo` into the README, with what was run and on which processor.

python workflow/scripts/readme.py    # after `make demo`; `make readme` does both
"""

import re
import sys
from pathlib import Path

import pandas as pd
import yaml
from mvc.config.expand import expand_config
from mvc.config.table_columns import TABLES
from mvc.tables.readme import describe_run, replace_block
from mvc.tables.statistics import make_table
from mvc.tables.summary import summarise_table

README, RUNS = Path("README.md"), Path("results/tables/table1_runs.csv")
PROCESSOR = Path("/proc/cpuinfo")


def name_processor() -> str:
    """Name this machine's processor as its kernel does."""
    text = PROCESSOR.read_text(encoding="utf-8") if PROCESSOR.is_file() else ""
    found = re.search(r"^model name\s*: (.*)$", text, re.MULTILINE)
    return re.sub(r"\(R\)|\(TM\)| Processor| CPU", "", found[1]).strip() if found else "unknown"


def main() -> None:
    if not RUNS.is_file():
        sys.exit(f"{RUNS}: not there; run `make demo` first")
    config = expand_config(yaml.safe_load(Path("config/config.yaml").read_text(encoding="utf-8")))
    table = make_table(pd.read_csv(RUNS), TABLES["table1"])
    summary = summarise_table(table, TABLES["table1"], digits=config["tables"]["digits"])
    block = f"{describe_run(config)}; {name_processor()}:\n\n```\n{summary}\n```"
    README.write_text(replace_block(README.read_text(encoding="utf-8"), block), encoding="utf-8")


if __name__ == "__main__":
    main()
