"""classifiers: train and measure one classifier."""

import json
from functools import partial

from mvc.classifiers.extra_images import pick_extra, read_extra
from mvc.classifiers.kept import save_weights
from mvc.classifiers.run import make_reader, name_run, run
from mvc.core.atomic import write_text
from mvc.core.checkpoint import remove_checkpoints
from mvc.core.device import pick_device
from mvc.core.hashing import digest_settings
from mvc.job import stage_log
from mvc.policies.files import read_policies
from mvc.training.hyperparameters import pick_hyperparameters


def main(snakemake) -> None:
    cfg = snakemake.params.cfg
    files = snakemake.input
    names = snakemake.wildcards
    size = cfg["resolution"]
    output = snakemake.output[0]
    seed = int(names.seed)
    reader = partial(make_reader, decoded=files.decoded, size=size)
    with stage_log(snakemake) as report:
        real = reader(files.train)()
        extra = read_extra(files.extra, real, size=size, **pick_extra(cfg))
        sub_policies = read_policies(files.policy) if files.policy else ()
        depends = {"cfg": cfg, "code": snakemake.params.code, "seed": seed}
        inputs = [files.policy, files.weights]
        measured, fitted = run(
            real,
            extra,
            reader(files.evaluation),
            validation=reader(files.validation) if files.validation else None,
            model=cfg["network"],
            hyperparameters=pick_hyperparameters(cfg, sub_policies=sub_policies),
            root=cfg["seed"],
            seed=seed,
            device=pick_device(),
            checkpoint=name_run(output, real, extra, depends, inputs),
        )
        record = {
            **{name: getattr(names, name) for name in ("dataset", "model", "arm")},
            "seed": seed,
            **{key: cfg.get(key) for key in ("split", "extra", "augmentation", "strategy")},
            **measured,
            "settings": digest_settings(cfg),
        }
        save_weights(fitted, real, cfg, record, output, keep=snakemake.resources.keep)
        write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", output)
        remove_checkpoints(output)
        accuracy = f"accuracy {measured['accuracy']:.1f} % ({cfg['split']})"
        report(measured["steps"], "steps", accuracy)


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
