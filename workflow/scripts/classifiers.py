"""Stage classifiers: train and measure one classifier."""

import json

from mvc.classifiers.extra_images import read_extra
from mvc.classifiers.run import Hyperparameters, run
from mvc.core import image_tables
from mvc.core.atomic import atomic
from mvc.core.device import pick_device
from mvc.core.hashing import digest_settings
from mvc.core.image_set import COLUMNS, load_labelled
from mvc.job import stage_log
from mvc.policies.files import read_policies


def main(snakemake) -> None:
    with stage_log(snakemake) as made:
        cfg, files, names = dict(snakemake.params.cfg), snakemake.input, snakemake.wildcards
        root, split, size, source = (cfg.pop(k) for k in ("seed", "split", "resolution", "extra"))
        network, per_real, seed = cfg.pop("network"), cfg.pop("per_real", None), int(names.seed)
        train = load_labelled(image_tables.read(files.train, COLUMNS), size=size)
        settings = {"generator": source, "per_real": per_real, "size": size}
        settings["select"] = cfg.pop("select", "first")
        extra = None if source is None else read_extra(files.extra, train, **settings)
        where = {"root": root, "seed": seed, "device": pick_device()}
        measured = run(
            train,
            extra,
            lambda: load_labelled(image_tables.read(files.evaluation, COLUMNS), size=size),
            model=network,
            hyperparameters=Hyperparameters(
                **cfg, sub_policies=read_policies(files.policy) if files.policy else ()
            ),
            **where,
        )
        told = {"dataset": names.dataset, "model": names.model, "arm": names.arm, "seed": seed}
        told |= {"split": split, "extra": source}
        told |= {key: cfg.get(key) for key in ("augmentation", "strategy")}
        told |= measured | {"settings": digest_settings(snakemake.params.cfg)}
        with atomic(snakemake.output[0]) as path:
            path.write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n", "utf-8")
        made(measured["steps"], "steps", f"accuracy {measured['accuracy']:.1f} % ({split})")


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
