"""oracle: a classifier of real images, for the label agreement of the synthetic ones."""

from mvc.console.progress import progress
from mvc.core import image_tables
from mvc.core.atomic import atomic
from mvc.core.device import pick_device
from mvc.core.image_set import load_labelled
from mvc.core.image_tables import read_class_names
from mvc.job import stage_log
from mvc.quality import oracle


def main(snakemake) -> None:
    cfg = snakemake.params.cfg
    with stage_log(snakemake) as report:
        train = image_tables.read(snakemake.input.train)
        table = image_tables.read(snakemake.input.oracle)
        split = "oracle" if table.num_rows else "train"
        table = table if table.num_rows else train
        data = load_labelled(table, size=cfg["resolution"])
        oracle.check_classes(data.class_names, read_class_names(train))
        images = data.images.to(pick_device())
        labels = data.labels.to(pick_device())
        trained = oracle.train(
            images,
            labels,
            n_classes=max(data.class_names) + 1,
            steps=cfg["steps"],
            batch_size=cfg["batch_size"],
            learning_rate=cfg["learning_rate"],
            weight_decay=cfg["weight_decay"],
            seed=cfg["seed"],
            progress=lambda steps: progress(steps, total=cfg["steps"], unit="steps"),
        )
        fitted = (oracle.predict(trained, images) == data.labels).double().mean()
        note = f"{100 * fitted:.1f} % of {len(images):,} images of split {split} fitted"
        with atomic(snakemake.output[0]) as temporary:
            oracle.save(trained, temporary, {"split": split, "n_train": len(images), **cfg})
        report(cfg["steps"], "steps", note)


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
