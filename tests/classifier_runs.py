"""The stages `classifiers` and `classifier` on toy images, as their scripts run them."""

import json
from types import SimpleNamespace

from mvc.core import image_tables
from toy import table, toy


def stage(folder, *, keep="none", seed=3, arm="ra+syn", validation=20, tables=(), **changes):
    """Train and measure one classifier as the stage's script does; return its record.

    `tables` stand for those of toy images, by split.
    """
    import classifiers

    image_tables.write(table(toy(), "train"), folder / "train.parquet")
    image_tables.write(table(toy(12, 4), "extra/a", source="train"), folder / "0.parquet")
    image_tables.write(table(toy(9, 5), "extra/b", source="train"), folder / "1.parquet")
    image_tables.write(table(toy(30, 6), "test"), folder / "test.parquet")
    image_tables.write(table(toy(validation, 7), "val"), folder / "validation.parquet")
    for split, own in dict(tables).items():
        image_tables.write(own, folder / f"{split}.parquet")
    settings = {
        "network": "wrn-10-1",
        "seed": 0,
        "split": "test",
        "resolution": None,
        "extra": "finetuned",
        "strategy": "rsp",
        "augmentation": "ra",
        "ra": {"n": 1, "m": 5},
        "fill": "black",
        "batch_size": 8,
        "learning_rate": 0.05,
        "weight_decay": 5e-4,
        "max_grad_norm": 5.0,
        "steps": 6,
        "epochs": None,
        "pad": 1,
        "flip": True,
        "cutout": 0,
        "rsp": {"p": 0.8, "mode": "replace"},
        **changes,
    }
    extra = [folder / "0.parquet", folder / "1.parquet"] if settings["extra"] else []
    policy = folder / "faa.json"
    policy.write_text('{"sub_policies": [[["Rotate", 0.7, 2.0], ["Invert", 0.2, 5]]]}')
    output = folder / "results/toy/classifiers/my-wrn" / arm / f"{seed}.json"
    split = settings["split"]
    classifiers.main(
        SimpleNamespace(
            input=SimpleNamespace(
                train=folder / "train.parquet",
                extra=extra,
                evaluation=folder / f"{split}.parquet",
                validation=[] if split == "validation" else folder / "validation.parquet",
                policy=policy if settings["augmentation"] in ("faa", "random") else [],
                weights=[],
                decoded=[],
            ),
            output=[output],
            log=[folder / "log"],
            threads=1,
            params=SimpleNamespace(cfg=settings, code=""),
            resources=SimpleNamespace(keep=keep),
            wildcards=SimpleNamespace(dataset="toy", model="my-wrn", arm=arm, seed=str(seed)),
        )
    )
    return json.loads(output.read_text())


def make_folder(folder, records, *, keep="best", split="test"):
    """Choose one of the runs and write its folder, as the script does; return it."""
    import classifier

    classifier.main(
        SimpleNamespace(
            input=SimpleNamespace(
                runs=[str(path) for path in records],
                train=folder / "train.parquet",
                evaluation=folder / f"{split}.parquet",
            ),
            output=[str(folder / "results/toy/classifier")],
            log=[folder / "classifier.log"],
            threads=1,
            params=SimpleNamespace(cfg={"confidence": 0.95, "digits": 1}, code=""),
            resources=SimpleNamespace(keep=keep),
            wildcards=SimpleNamespace(dataset="toy"),
        )
    )
    return folder / "results/toy/classifier"


def list_records(folder):
    return sorted(folder.glob("results/toy/classifiers/*/*/*.json"))
