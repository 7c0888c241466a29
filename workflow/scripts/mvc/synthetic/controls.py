"""Controls: real images in place of synthetic ones, further or repeated, also through the VAE."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import pyarrow as pa
import torch
from jaxtyping import UInt8
from torch import Tensor

from mvc.console.progress import progress
from mvc.core.batching import advise_resolution, align_batches, fit_memory, pick_batch_size
from mvc.core.counts import slice_shard
from mvc.core.pixels import encode as encode_png
from mvc.core.pixels import load, resize
from mvc.models.stable_diffusion import decode as decode_latents
from mvc.models.stable_diffusion import encode, load_vae


def reconstruct(
    vae: torch.nn.Module,
    files: Sequence[bytes],
    places: Sequence[int],
    *,
    side: int,
    batch_size: int,
    fit: str = "crop",
) -> Iterator[UInt8[Tensor, "b 3 s s"]]:
    """Pass images through the VAE and back, without diffusion: what resizing and the VAE lose.

    Args:
        places: of the images in their set, see `batching.align_batches`.
    """

    def reconstruct_rows(rows: Sequence[int]) -> UInt8[Tensor, "b 3 s s"]:
        pixels = load([files[row] for row in rows], size=side, fit=fit)
        latents = encode(vae, pixels, batch_size=len(rows))[0] * vae.config.scaling_factor
        return decode_latents(vae, latents.to(vae.device))

    compute = fit_memory(reconstruct_rows, device=vae.device, remedy=advise_resolution(side))
    for rows, kept in align_batches(places, pick_batch_size(vae.device, batch_size)):
        yield compute(rows)[kept]


def reconstruct_files(
    contents: Sequence[bytes],
    places: Sequence[int],
    *,
    diffusion: str,
    resolution: int,
    side: int,
    fit: str,
    batch_size: int,
    device: torch.device,
) -> list[bytes]:
    """Pass image files through the VAE at `resolution`; return PNG files of `side` pixels."""
    vae = load_vae(diffusion, device=device)
    settings = {"side": resolution, "fit": fit, "batch_size": batch_size}
    batches = reconstruct(vae, contents, places, **settings)
    batches = progress(batches, total=len(contents), unit="images", count=len)
    return [png for b in batches for png in encode_png(resize(b, side), grayscale=False)]


def repeat_training_images(
    train: pa.Table, bank_labels: Sequence[int], *, shard: int, shards: int
) -> pa.Table:
    """Repeat the training images in turn, as many per class as the bank has entries: one shard."""
    members: dict[int, list[int]] = {}
    for row, label in enumerate(train["label"].to_pylist()):
        members.setdefault(label, []).append(row)
    counts: Counter = Counter()
    rows = []
    for label in bank_labels:
        rows.append(members[label][counts[label] % len(members[label])])
        counts[label] += 1
    indices = slice_shard(len(rows), shard, shards)
    return train.take([rows[i] for i in indices])


def take_further_images(
    extra: pa.Table, train: pa.Table, bank_labels: Sequence[int], *, shard: int, shards: int
) -> pa.Table:
    """Take further real images, as many per class as the bank has entries: one shard.

    Raises:
        ValueError: a class has fewer further real images than that.
    """
    wanted: Mapping[int, int] = {y: list(bank_labels).count(y) for y in sorted(set(bank_labels))}
    labels = extra["label"].to_pylist()
    names = dict(zip(train["label"].to_pylist(), train["class_name"].to_pylist(), strict=True))
    rows: list[int] = []
    for label, count in wanted.items():
        members = [row for row, other in enumerate(labels) if other == label]
        if len(members) < count:
            raise ValueError(
                f"class {names[label]!r} has {len(members)} further real images, the arms ra+real "
                f"and ra+real_vae need {count}; raise images.extra_per_class (imagefolder: lower "
                "images.labels_per_class), lower banks.per_real or banks.per_class, or set these "
                "arms to null in classifiers.arms"
            )
        rows += members[:count]
    indices = slice_shard(len(rows), shard, shards)
    return extra.take([rows[i] for i in indices])
