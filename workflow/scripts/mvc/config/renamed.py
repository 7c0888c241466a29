"""Old spellings of keys and values, each refused with its new one."""

from collections.abc import Iterator, Mapping

_TRAINING = {
    "updates": "steps",
    "lr": "learning_rate",
    "clip": "max_grad_norm",
    "optimiser": "optimizer",
    "image_size": "resolution",
    "prefer": "select",
    "updates_as_with": "steps_as_with",
    "phase2.lr_scale": "phase2.learning_rate_scale",
}
_MINIATURE = {
    "batch": "batch_size",
    "rate": "learning_rate",
    "warmup": "warmup_steps",
    "decay": "ema_decay",
}
# Where settings of training stand: for all runs, for a classifier, for an arm.
_TRAINED = ("classifiers", "classifiers.models.*", "classifiers.arms.*")
# Old keys and the new ones; `*` stands for a classifier's or an arm's name.
KEYS = {
    "images.judge_per_class": "images.oracle_per_class",
    "unet.ema": "unet.ema_decay",
    "unet.clip_norm": "unet.max_grad_norm",
    "unet.warmup": "unet.warmup_steps",
    "unet.samples": "figures.samples",
    "unet.samples.each": "figures.samples.per_class",
    "policies.updates": "policies.steps",
    "classifiers.arms.ra+roundtrip": "classifiers.arms.ra+real_vae",
    "classifiers.arms.ra+reconstructed": "classifiers.arms.ra+train_vae",
    "judge": "oracle",
    "judge.size": "oracle.resolution",
    "judge.updates": "oracle.steps",
    "oracle.size": "oracle.resolution",
    "oracle.updates": "oracle.steps",
    **{f"{part}.{old}": f"{part}.{new}" for part in _TRAINED for old, new in _TRAINING.items()},
    # config/miniature.yaml
    "corpus.size": "corpus.resolution",
    **{
        f"{part}.training.{old}": f"{part}.training.{new}"
        for part in ("vae", "clip", "captioner", "unet")
        for old, new in _MINIATURE.items()
    },
}
# Old values and the new ones, by key.
VALUES = {
    "unet.text": {"none": "caption"},
    **{f"{part}.select": {"consistent": "clip"} for part in _TRAINED},
    "classifiers.arms.*.extra": {"round_trip": "real_vae", "reconstructed": "train_vae"},
}


def list_old_spellings(config: Mapping) -> list[str]:
    """List old spellings in an unexpanded configuration, one line each, data sets included."""
    lines = [line for path, value in _walk(config) for line in _explain(path, value)]
    return list(dict.fromkeys(lines))


def _walk(part: Mapping, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], object]]:
    for key, value in part.items():
        here = (*path, str(key))
        yield here, value
        if isinstance(value, Mapping):
            yield from _walk(value, here)


def _explain(path: tuple[str, ...], value: object) -> Iterator[str]:
    dataset, keys = (path[:2], path[2:]) if path[0] == "datasets" else ((), path)
    named = keys[:1] == ("classifiers",) and keys[1:2] in (("models",), ("arms",))
    general = (*keys[:2], "*", *keys[3:]) if named and len(keys) > 3 else keys
    old = ".".join(path)
    if new := KEYS.get(".".join(general)):
        new = new.replace("*", keys[2]) if "*" in new else new
        section = () if new.startswith("figures.") else dataset  # no data set has its own
        yield f"{old} is now {'.'.join((*section, new))}"
    renamed = VALUES.get(".".join(general), {})
    if isinstance(value, str) and value in renamed:
        yield f"{old} = {value} is now {renamed[value]}"
