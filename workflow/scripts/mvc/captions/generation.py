"""BLIP-2 captions of images (Section 3.2)."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

import torch
from PIL import Image

from mvc.core.batching import fit_memory, pick_batch_size


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

    def caption(batch: Sequence[Image.Image]) -> list[str]:
        inputs = processor(images=batch, return_tensors="pt").to(model.device, model.dtype)
        ids = model.generate(
            pixel_values=inputs["pixel_values"],
            max_new_tokens=max_new_tokens,
            num_beams=num_beams,
            do_sample=False,
        )
        texts = processor.batch_decode(ids, skip_special_tokens=True)
        return [" ".join(text.split()) for text in texts]

    compute = fit_memory(caption, device=model.device, remedy=advise_captions(num_beams))
    remaining = iter(images)
    while batch := list(islice(remaining, batch_size)):
        padded = [*batch, *[batch[-1]] * (batch_size - len(batch))]
        yield from compute(padded)[: len(batch)]


def advise_captions(num_beams: int) -> str:
    """What to change where one image cannot be captioned on a GPU."""
    if num_beams > 1:
        return f"set captions.num_beams to 1 (it is {num_beams})"
    return "write captions of your own (captions.file), or set captions.describe to false"
