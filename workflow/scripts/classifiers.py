"""classifiers: train and measure one classifier."""

import json

from mvc.classifiers.extra_images import read_extra
from mvc.classifiers.run import run
from mvc.core import image_tables
from mvc.core.atomic import write_text
from mvc.core.device import pick_device
from mvc.core.hashing import digest_settings
from mvc.core.image_set import COLUMNS, load_labelled
from mvc.job import stage_log
from mvc.policies.files import read_policies
from mvc.training.hyperparameters import pick_hyperparameters


def main(snakemake) -> None:
    cfg = snakemake.params.cfg
    files = snakemake.input
    names = snakemake.wildcards
    size = cfg["resolution"]
    with stage_log(snakemake) as report:
        real = load_labelled(image_tables.read(files.train, COLUMNS), size=size)
        extra = read_extra(
            files.extra,
            real,
            generator=cfg["extra"],
            per_real=cfg.get("per_real"),
            per_class=cfg.get("per_class"),
            select=cfg.get("select", "first"),
            size=size,
        )
        sub_policies = read_policies(files.policy) if files.policy else ()
        measured = run(
            real,
            extra,
            lambda: load_labelled(image_tables.read(files.evaluation, COLUMNS), size=size),
            model=cfg["network"],
            hyperparameters=pick_hyperparameters(cfg, sub_policies=sub_policies),
            root=cfg["seed"],
            seed=int(names.seed),
            device=pick_device(),
        )
        record = {
            **{name: getattr(names, name) for name in ("dataset", "model", "arm")},
            "seed": int(names.seed),
            **{key: cfg.get(key) for key in ("split", "extra", "augmentation", "strategy")},
            **measured,
            "settings": digest_settings(cfg),
        }
        write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", snakemake.output[0])
        accuracy = f"accuracy {measured['accuracy']:.1f} % ({cfg['split']})"
        report(measured["steps"], "steps", accuracy)


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
