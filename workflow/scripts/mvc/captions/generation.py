"""BLIP-2 captions of images (Section 3.2)."""

from collections.abc import Iterable, Iterator
from itertools import islice

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
