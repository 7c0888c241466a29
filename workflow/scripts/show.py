"""Print Markdown files so that they fit the terminal: `python workflow/scripts/show.py FILE ...`"""

import shutil
import sys
from pathlib import Path

from mvc.core.markdown import fit


def main(paths: list[str]) -> None:
    width = shutil.get_terminal_size(fallback=(100, 24)).columns
    for path in paths:
        print(fit(Path(path).read_text(encoding="utf-8"), width))


if __name__ == "__main__":
    main(sys.argv[1:])
