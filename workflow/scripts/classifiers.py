"""Stage classifiers: train and measure one classifier."""

import json

from mvc import shards
from mvc.classifiers import Recipe, run
from mvc.labelled import COLUMNS, EXTRA_COLUMNS, check_sources, coloured_like, labelled
from mvc.provenance import settings_digest
from mvc.stage import device, stage_log


def main(snakemake) -> None:
    with stage_log(snakemake):
        cfg, files, names = dict(snakemake.params.cfg), snakemake.input, snakemake.wildcards
        root, split, size, source = (cfg.pop(k) for k in ("seed", "split", "image_size", "extra"))
        train = labelled(shards.read(files.train, COLUMNS), size=size)
        extra = None
        if source is not None:
            extra = labelled(shards.read(files.extra, EXTRA_COLUMNS), size=size)
            check_sources(train, extra, source)
            extra = coloured_like(train, extra)
        measured = run(
            train,
            extra,
            lambda: labelled(shards.read(files.evaluation, COLUMNS), size=size),
            model=names.model,
            recipe=Recipe(**cfg),
            root=root,
            seed=int(names.seed),
            device=device(),
        )
        told = {"dataset": names.dataset, "model": names.model, "arm": names.arm}
        told |= {"seed": int(names.seed), "split": split, "extra": source}
        told |= {"augmentation": cfg["augmentation"], "strategy": cfg.get("strategy")}
        record = told | measured | {"settings": settings_digest(snakemake.params.cfg)}
        with shards.atomic(snakemake.output[0]) as path:
            path.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", "utf-8")


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
