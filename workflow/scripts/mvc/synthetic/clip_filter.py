"""How surely CLIP takes an image for its class: a draw that missed it teaches a wrong label.

Axes: n images, k classes, e width of CLIP's joint space.
"""

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float, Float32
from torch import Tensor

from mvc.captions import prompt
from mvc.core.pixels import load
from mvc.models.clip import feature_size, image_features, load_clip, text_features


def clip_probability(
    files: Sequence[bytes],
    labels: Sequence[int],
    names: Mapping[int, str],
    *,
    clip: str,
    prefix: str,
    batch_size: int,
    device: torch.device,
) -> Float32[Tensor, " n"]:
    """The probability of each image's own class among all, as CLIP classifies without examples.

    Args:
        files: the image files. labels: their classes.
        names: every class's label and name.
        clip: CLIP's folder or name. prefix: `captions.prefix`, the prompt of a class.
        batch_size: images that CLIP sees at once.
    """
    if not files:  # a shard may have none of a generator
        return torch.empty(0)
    model, _, tokenizer = load_clip(clip, device=device)
    prompts = [prompt("", name, prefix=prefix) for name in names.values()]
    pixels = load(files, size=feature_size(model))
    images = image_features(pixels, model, batch_size=batch_size)
    return probabilities(
        images,
        text_features(prompts, model, tokenizer),
        [list(names).index(label) for label in labels],
        scale=model.logit_scale.exp().item(),
    )


def probabilities(
    images: Float[Tensor, "n e"],
    texts: Float[Tensor, "k e"],
    classes: Sequence[int],
    *,
    scale: float,
) -> Float32[Tensor, " n"]:
    """The softmax over the classes of scaled cosines, at each image's own class.

    Args:
        images, texts: of length 1. classes: the row of `texts` that is each image's.
        scale: CLIP's learnt one.
    """
    chances = (scale * images @ texts.T).softmax(1)
    return chances[torch.arange(len(images)), torch.tensor(classes, dtype=torch.int64)]
