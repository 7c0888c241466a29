"""Candidates of an image: several draws, of which CLIP chooses.

A draw that missed its class would teach a classifier a wrong label. Beyond the paper; off by
default.
Axes: n images, c candidates of each, k classes, e width of CLIP's joint space.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from jaxtyping import Float32, Int64
from torch import Tensor, nn

from mvc.captions import prompt
from mvc.clip_model import feature_size, image_features, text_features
from mvc.pixels import load
from mvc.plans import Plan


class Consistency:
    """How surely CLIP takes an image for its class, among all classes."""

    def __init__(
        self, model: nn.Module, tokenizer, names: Mapping[int, str], *, prefix: str, batch_size: int
    ):
        """Args: CLIP and its tokenizer, the classes' names, `captions.prefix`, images at once."""
        self.model, self.batch_size = model, batch_size
        self.columns = {label: column for column, label in enumerate(names)}
        prompts = [prompt("", name, prefix=prefix) for name in names.values()]
        self.texts = text_features(prompts, model, tokenizer)

    def __call__(self, files: Sequence[bytes], labels: Sequence[int]) -> Float32[Tensor, " n"]:
        """Probability of each image file's own class, as CLIP classifies without examples."""
        pixels = load(files, size=feature_size(self.model))
        found = image_features(pixels, self.model, batch_size=self.batch_size)
        scale = self.model.logit_scale.exp().cpu()
        chances = (scale * found @ self.texts.T).softmax(1)
        columns = torch.tensor([self.columns[label] for label in labels])
        return chances[torch.arange(len(files)), columns]


def choose(
    plans: Sequence[Plan], files: Sequence[Sequence[bytes]], chances: Float32[Tensor, "c n"]
) -> tuple[Plan, list[bytes], list[float]]:
    """The likeliest candidate of each image, the first of equal ones.

    Args:
        plans: of each candidate; they differ in their seeds alone.
        files: n image files of each candidate.
        chances: CLIP's probability of each image's class.

    Returns:
        The plan of the images kept, their files and their probabilities.
    """
    kept: Int64[Tensor, " n"] = chances.argmax(0)
    rows = list(enumerate(kept.tolist()))
    plan = replace(plans[0], seeds=[plans[c].seeds[i] for i, c in rows])
    return plan, [files[c][i] for i, c in rows], chances.amax(0).tolist()
