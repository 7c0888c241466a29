"""Stage policies: search for augmentation policies (Fast AutoAugment), and draw random ones."""

import torch
from mvc.core import image_tables
from mvc.core.atomic import atomic
from mvc.core.device import pick_device
from mvc.core.image_set import COLUMNS, load_labelled
from mvc.core.seeds import derive_seed
from mvc.job import stage_log
from mvc.policies.files import digest_policies, draw_policies, format_policies, read_policies
from mvc.policies.search import Search, search
from mvc.training.hyperparameters import Hyperparameters


def main(snakemake) -> None:
    with stage_log(snakemake) as made:
        cfg, files = dict(snakemake.params.cfg), snakemake.input
        root, file, model = (cfg.pop(key) for key in ("seed", "file", "model"))
        training = dict(cfg.pop("training"))
        network = training.pop("network")
        told = {"data set": snakemake.wildcards.dataset}
        drawn = told | {"from": "drawn at random, as many as in faa.json"}
        if file:
            found = read_policies(files.own)
            told |= {"from": {"file": file, "sha256": digest_policies(files.own)}}
        else:
            train = load_labelled(
                image_tables.read(files.train, COLUMNS), size=training.pop("resolution")
            )
            hyperparameters = Hyperparameters(augmentation="default", **training)
            size = {"size": Search(**cfg), "model": network, "hyperparameters": hyperparameters}
            found, losses = search(train, **size, root=root, device=pick_device())
            told |= {"model": model, "search": cfg, "losses on held-out images": losses}
        generator = torch.Generator().manual_seed(derive_seed(root, "policies/random"))
        control = draw_policies([len(sub) for sub in found], generator=generator)
        written = {"faa": (found, told), "random": (control, drawn)}
        for name, (chosen, about) in written.items():
            with atomic(getattr(snakemake.output, name)) as temporary:
                temporary.write_text(format_policies(chosen, about), "utf-8")
        made(len(found), "sub-policies")


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
