"""BLIP-2 captions of images, and the prompts that add the class to them (Section 3.2)."""

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

import torch
from PIL import Image

from mvc.core.batching import pick_batch_size


@torch.inference_mode()
def generate_captions(
    images: Iterable[Image.Image],
    *,
    model,
    processor,
    max_new_tokens: int,
    num_beams: int,
    batch_size: int,
) -> Iterator[str]:
    """Caption RGB images by beam search, a batch at a time; one line of text per image, in order.

    The last batch is padded with its last image: every batch has one shape, see `core.batching`.
    """
    batch_size = pick_batch_size(model.device, batch_size)
    remaining = iter(images)
    while batch := list(islice(remaining, batch_size)):
        padded = [*batch, *[batch[-1]] * (batch_size - len(batch))]
        inputs = processor(images=padded, return_tensors="pt").to(model.device, model.dtype)
        ids = model.generate(
            pixel_values=inputs["pixel_values"],
            max_new_tokens=max_new_tokens,
            num_beams=num_beams,
            do_sample=False,
        )
        texts = processor.batch_decode(ids, skip_special_tokens=True)
        yield from (" ".join(text.split()) for text in texts[: len(batch)])


def make_prompt(caption: str, class_name: str, *, prefix: str) -> str:
    """Make the text that is embedded: the prefix with the class in it, then the caption.

    >>> make_prompt("a red shirt", "Shirt", prefix="This is an image of {class}")
    'This is an image of Shirt, a red shirt'
    """
    head = prefix.replace("{class}", class_name)
    return ", ".join(part for part in (head, caption.strip()) if part)


def read_captions(path: str | Path, image_ids: Sequence[str]) -> list[str]:
    """Read the user's own captions, one for each training image.

    Args:
        path: CSV or Parquet with the columns `image_id` and `caption`; further rows are ignored.
        image_ids: the training images, in order.

    Raises:
        FileNotFoundError, ValueError: names what is missing.
    """
    import pandas as pd

    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"captions.file = {path}: no such file")
    frame = (
        pd.read_parquet(path)
        if path.suffix == ".parquet"
        else pd.read_csv(path, dtype=str, keep_default_na=False)
    )
    if absent := {"image_id", "caption"} - set(frame.columns):
        raise ValueError(
            f"captions.file = {path}: no column {', '.join(sorted(absent))}; its columns are "
            f"{', '.join(map(str, frame.columns))}"
        )
    if repeated := sorted(frame["image_id"][frame["image_id"].duplicated()]):
        raise ValueError(f"captions.file = {path}: {repeated[0]} has more than one caption")
    names = [unicodedata.normalize("NFC", name) for name in frame["image_id"]]
    texts = dict(zip(names, frame["caption"].fillna(""), strict=True))
    if missing := [i for i in image_ids if i not in texts]:
        raise ValueError(
            f"captions.file = {path}: no caption for {len(missing):,} of {len(image_ids):,} "
            f"training images, {missing[0]} the first"
        )
    return [texts[i] for i in image_ids]
