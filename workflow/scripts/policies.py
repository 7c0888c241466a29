"""policies: search for augmentation policies (Fast AutoAugment), and draw random ones."""

import torch
from mvc.core.atomic import write_text
from mvc.core.device import pick_device
from mvc.core.image_set import read_labelled
from mvc.core.seeds import derive_seed
from mvc.job import stage_log
from mvc.policies.files import digest_policies, draw_policies, format_policies, read_policies
from mvc.policies.search import SIZES, Search, search
from mvc.training.hyperparameters import pick_hyperparameters


def main(snakemake) -> None:
    cfg = snakemake.params.cfg
    files = snakemake.input
    about = {"data set": snakemake.wildcards.dataset}
    with stage_log(snakemake) as report:
        if cfg["file"]:
            best = read_policies(files.own)
            origin = {"from": {"file": cfg["file"], "sha256": digest_policies(files.own)}}
        else:
            training = cfg["training"]
            size, decoded = training["resolution"], next(iter(files.decoded), None)
            sizes = {key: value for key, value in cfg.items() if key in SIZES}
            best, losses = search(
                read_labelled(files.train, size=size, decoded=decoded),
                size=Search(**sizes),
                model=training["network"],
                hyperparameters=pick_hyperparameters({**training, "augmentation": "default"}),
                root=cfg["seed"],
                device=pick_device(),
            )
            origin = {"model": cfg["model"], "search": sizes}
            origin["losses on held-out images"] = losses
        stream = derive_seed(cfg["seed"], "policies/random")
        generator = torch.Generator().manual_seed(stream)
        random = draw_policies([len(sub_policy) for sub_policy in best], generator=generator)
        control = {"from": "drawn at random, as many as in faa.json"}
        write_text(format_policies(best, about | origin), snakemake.output.faa)
        write_text(format_policies(random, about | control), snakemake.output.random)
        report(len(best), "sub-policies")


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
