"""What captions, embeddings, losses and synthetic images tell about the generator.

Axes: k prompts.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from mvc.notices.notice import FIRST, SECOND, THIRD, Notice, format_count

SAME = 0.5  # share of a class's images with one caption, from which on there is little to mix
AT_CHANCE = 1.1  # CLIP probability of the right class over chance, below which CLIP knows nothing
FEWEST_LOSSES = 40
FLAT = 2.0  # grey levels (standard deviation) below which a picture counts as blank
CHANNELS = 8.0  # grey levels by which channels differ on average in a picture with colour


def check_captions(
    captions: Sequence[str], labels: Sequence[int], captioners: Sequence[str], file: str
) -> list[Notice]:
    """Notices of captions that are empty, filled in, or the same in most images of a class."""
    if set(captioners) == {"none"}:
        return []
    notices = []
    if empty := sum(not text.strip() for text in captions):
        every = format_count(len(captions), "caption")
        text = f"{empty:,} of {every} are empty: their prompts name the class alone"
        notices.append(Notice(text, file, SECOND))
    if len(kinds := Counter(captioners).most_common()) > 1:
        listed = ", ".join(f"{n:,} by {name}" for name, n in kinds)
        notices.append(Notice(f"captions have several sources: {listed}", file, THIRD))
    of_class: dict[int, list[str]] = {}
    for text, label in zip(captions, labels, strict=True):
        of_class.setdefault(label, []).append(text)
    shares = [Counter(texts).most_common(1)[0][1] / len(texts) for texts in of_class.values()]
    few = sum(
        share > SAME and len(t) > 1 for share, t in zip(shares, of_class.values(), strict=True)
    )
    if few:
        text = (
            f"in {few} of {len(of_class)} classes most images have the same caption, so mixing "
            "changes little: write captions of your own (captions.file)"
        )
        notices.append(Notice(text, file, SECOND))
    return notices


def check_tokens(n_tokens: Int[np.ndarray, " k"], most: int, file: str) -> list[Notice]:
    """A notice of prompts longer than the `most` tokens that CLIP reads."""
    cut = int((n_tokens > most).sum())
    if not cut:
        return []
    text = (
        f"{cut:,} of {format_count(len(n_tokens), 'prompt')} exceed the {most} tokens that CLIP "
        f"reads and lose their ends (the longest has {int(n_tokens.max())}): shorten the captions"
    )
    return [Notice(text, file, SECOND)]


def check_tuning(losses: str, tuned: str) -> list[Notice]:
    """Notices of fine-tuning: how its losses went, and which step's weights are kept.

    Args:
        losses, tuned: its `loss.csv`, and the config of the U-Net.
    """
    table = pd.read_csv(losses)
    chosen = json.loads(Path(tuned).read_text(encoding="utf-8")).get("early_stop")
    return [
        *check_losses(table["loss"].to_numpy(), losses),
        *check_stop(table, chosen, losses),
    ]


def check_losses(losses: Float[np.ndarray, " n"], file: str) -> list[Notice]:
    """A notice where the loss of fine-tuning rose from the first to the last quarter."""
    if len(losses) < FEWEST_LOSSES:
        return []
    first, *_, last = np.array_split(losses, 4)
    error = np.sqrt(first.var() / len(first) + last.var() / len(last))
    if last.mean() - first.mean() <= 2 * error:
        return []
    text = (
        f"the loss of fine-tuning rose from {first.mean():.3g} to {last.mean():.3g}: "
        "lower unet.learning_rate"
    )
    return [Notice(text, file, SECOND)]


def check_stop(losses: pd.DataFrame, stop: Mapping | None, file: str) -> list[Notice]:
    """A notice of which step's weights an early stop kept, or that it would have kept others.

    Args:
        losses: one row per step, with the column `validation_loss` where it was measured.
        stop: what the U-Net's config says of its early stop: `step` and `validation_loss`.
    """
    if stop:
        text = (
            f"fine-tuning stopped after {len(losses):,} steps and kept the weights of step "
            f"{stop['step']:,}, whose validation loss is the lowest (unet.early_stop)"
        )
        return [Notice(text, file, THIRD)]
    measured = (
        losses.dropna(subset="validation_loss") if "validation_loss" in losses else losses[:0]
    )
    if measured.empty:
        return []
    best, last = measured.loc[measured["validation_loss"].idxmin()], measured.iloc[-1]
    if best["step"] > len(losses) / 2:
        return []
    text = (
        f"the validation loss was lowest at step {int(best['step']):,} of {len(losses):,} and is "
        f"{last['validation_loss'] / best['validation_loss'] - 1:.0%} higher at the end, whose "
        "weights are used (unet.early_stop: null)"
    )
    return [Notice(text, file, SECOND)]


def check_clip(chances: Float[np.ndarray, " n"], classes: int, file: str) -> list[Notice]:
    """A notice where CLIP takes synthetic images for their class no more often than by chance."""
    if not len(chances) or chances.mean() > AT_CHANCE / classes:
        return []
    text = (
        f"CLIP gives synthetic images their class with probability {chances.mean():.2f}, by chance "
        f"it would be {1 / classes:.2f}: it does not know these classes, or the images do not show "
        "them; do not let CLIP choose (classifiers.select: first)"
    )
    return [Notice(text, file, FIRST)]


def check_constant(constant: int, total: int, file: str) -> list[Notice]:
    """A notice of synthetic images of a single colour."""
    if not constant:
        return []
    text = (
        f"{constant:,} of {format_count(total, 'synthetic image')} have a single colour: they show "
        "nothing (column constant)"
    )
    return [Notice(text, file, FIRST if constant > total / 10 else SECOND)]


def check_pixels(
    synthetic: Sequence[np.ndarray], real: Sequence[np.ndarray], file: str
) -> list[Notice]:
    """Notices of nearly blank synthetic images, and of coloured ones of grey data.

    Args:
        synthetic, real: samples of RGB images, (height, width, 3) in 0..255.
    """
    notices = []
    n = len(synthetic)
    if blank := sum(0 < image.std() < FLAT for image in synthetic):
        text = f"{blank:,} of {format_count(n, 'synthetic image')} looked at are nearly blank"
        notices.append(Notice(text, file, FIRST if blank > n / 10 else SECOND))
    coloured = sum(measure_colour(image) > CHANNELS for image in synthetic)
    grey = all(measure_colour(image) < 1 for image in real)
    if real and grey and coloured > n / 10:
        text = (
            f"{coloured:,} of {format_count(n, 'synthetic image')} looked at have colours, while "
            "the real ones are grey: classifiers can tell them apart by that"
        )
        notices.append(Notice(text, file, SECOND))
    return notices


def measure_colour(image: np.ndarray) -> float:
    """By how many grey levels the channels of a picture differ, on average."""
    return float(np.ptp(image.astype(np.int16), axis=-1).mean())
