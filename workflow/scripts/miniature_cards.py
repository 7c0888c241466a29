"""miniature_cards: write the model cards of the three miniatures."""

import json
from pathlib import Path

from mvc.core.atomic import atomic
from mvc.job import stage_log
from mvc.miniature import cards


def main(snakemake) -> None:
    cfg = snakemake.params.cfg
    with stage_log(snakemake):
        measured = json.loads(Path(snakemake.input.report).read_text())
        for name, write in cards.CARDS.items():
            with atomic(snakemake.output[name]) as path:
                path.write_text(write(cfg, measured), encoding="utf-8")


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
