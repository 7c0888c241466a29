"""CLIP filter: the probability that CLIP gives each image's class.

An image that does not show its class teaches a wrong label.

Axes: n images, k classes, e width of CLIP's joint space.
"""

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float, Float32, Int64
from torch import Tensor

from mvc.captions.prompts import make_prompt
from mvc.core.batching import align_batches, pick_batch_size
from mvc.core.pixels import load
from mvc.models.clip import embed_images, embed_texts, find_image_size, load_clip


def measure_clip_probability(
    files: Sequence[bytes],
    labels: Sequence[int],
    names: Mapping[int, str],
    *,
    clip: str,
    prefix: str,
    batch_size: int,
    device: torch.device,
    places: Sequence[int],
) -> Float32[Tensor, " n"]:
    """Measure the probability of each image's class among all, by CLIP's zero-shot classification.

    Both matrix products, in the image tower and with the texts, are of aligned batches. So a
    probability depends on the image and its place in the set alone, and a choice by rank does not
    depend on the number of shards.

    Args:
        files: the image files.
        labels: their classes.
        names: name of every class by its label.
        clip: CLIP's folder or name.
        prefix: `captions.prefix`, from which the prompt of each class is made.
        batch_size: images that CLIP embeds at once.
        places: of the images in their set, see `batching.align_batches`.
    """
    if not files:  # a shard may have no image of a generator
        return torch.empty(0)
    model, _, tokenizer = load_clip(clip, device=device)
    prompts = [make_prompt("", name, prefix=prefix) for name in names.values()]
    pixels = load(files, size=find_image_size(model))
    images = embed_images(pixels, model, batch_size=batch_size, places=places)
    texts = embed_texts(prompts, model, tokenizer)
    classes = torch.tensor([list(names).index(label) for label in labels])
    scale = model.logit_scale.exp().item()
    return torch.cat(
        [
            compute_probabilities(images[rows], texts, classes[rows], scale=scale)[kept]
            for rows, kept in align_batches(places, pick_batch_size(device, batch_size))
        ]
    )


def compute_probabilities(
    images: Float[Tensor, "n e"],
    texts: Float[Tensor, "k e"],
    classes: Int64[Tensor, " n"],
    *,
    scale: float,
) -> Float32[Tensor, " n"]:
    """Compute the softmax of scaled cosines over the classes, at each image's class.

    Args:
        images, texts: features of unit length.
        classes: row of `texts` of each image's class.
        scale: factor of the cosines that CLIP has learned.
    """
    probabilities = (scale * images @ texts.T).softmax(1)
    return probabilities[torch.arange(len(images)), classes]
