"""Corpus of the miniature models: foundation images rendered in several styles, with captions.

Axes: n rendered images, h = w pixels.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import UInt8

from mvc.miniature import render
from mvc.miniature.templates import describe, measure, write_caption

CHUNK = 2000  # images rendered at once; bounds the memory


@dataclass
class Corpus:
    """Rendered images with their facts; row i of every field belongs to image i."""

    images: torch.Tensor  # uint8, n 3 h w
    captions: list[str]
    labels: np.ndarray  # int64, n
    styles: np.ndarray  # int64, n; index into render.STYLES
    sources: np.ndarray  # int64, n; index of the foundation image

    def select(self, rows: np.ndarray) -> "Corpus":
        """Select rows by a mask or by indices."""
        rows = np.flatnonzero(rows) if rows.dtype == bool else rows
        return Corpus(
            self.images[torch.from_numpy(rows)],
            [self.captions[row] for row in rows],
            self.labels[rows],
            self.styles[rows],
            self.sources[rows],
        )

    def select_style(self, style: str) -> "Corpus":
        """Select the pictures of one style."""
        return self.select(self.styles == render.STYLES.index(style))

    def list_outside(self, styles: Sequence[str]) -> np.ndarray:
        """List the rows of the pictures of all other styles."""
        return np.flatnonzero(~np.isin(self.styles, [render.STYLES.index(s) for s in styles]))


def build(
    images: UInt8[np.ndarray, "k 28 28"],
    labels: UInt8[np.ndarray, " k"],
    *,
    size: int,
    renders: int,
    shares: dict[str, float],
    seed: int,
) -> Corpus:
    """Render every image `renders` times, each time in a style drawn by `shares`.

    Raises:
        ValueError: the shares do not sum to 1.
    """
    if abs(sum(shares.values()) - 1) > 1e-6:
        raise ValueError(f"corpus.shares sum to {sum(shares.values()):.3g}; must sum to 1")
    rng = np.random.default_rng(seed)
    generator = torch.Generator().manual_seed(seed)
    sources = np.tile(np.arange(len(images)), renders)
    styles = rng.choice(len(render.STYLES), len(sources), p=[shares[s] for s in render.STYLES])
    levels = np.concatenate([describe(measure(images / 255.0), labels.astype(np.int64))] * renders)
    rendered, texts = [], []
    for start in range(0, len(sources), CHUNK):
        rows = slice(start, start + CHUNK)
        source, style = sources[rows], styles[rows]
        grey = torch.from_numpy(images[source]).float() / 255
        garments = _place(grey, style, size=size, generator=generator)
        pixels, colours, grounds = _dress(garments, style, rng=rng, generator=generator)
        rendered.append((pixels * 255).round().to(torch.uint8))
        for i, (colour, ground) in enumerate(zip(colours, grounds, strict=True)):
            texts.append(
                write_caption(
                    int(labels[source[i]]),
                    levels[start + i],
                    colour=colour,
                    ground=ground,
                    generator=rng,
                )
            )
    labels = labels.astype(np.int64)[sources]
    return Corpus(torch.cat(rendered), texts, labels, styles, sources)


def _place(grey, style, *, size, generator):
    """Enlarge, flip, scale and shift; plain images move by whole pixels, which keeps them sharp."""
    n = len(grey)
    plain = torch.from_numpy(style == render.STYLES.index("plain"))
    flip = torch.randint(0, 2, (n,), generator=generator).float() * 2 - 1
    scale = 0.9 + 0.2 * torch.rand(n, generator=generator)
    shift = (torch.rand(n, 2, generator=generator) * 2 - 1) * 2
    scale = torch.where(plain, torch.ones(n), scale)
    shift = torch.where(plain[:, None], shift.round(), shift)
    return render.move(render.enlarge(grey, size), flip=flip, scale=scale, shift=shift)


def _dress(garments, style, *, rng, generator):
    """Dress each garment: its pixels, colour word (None for greyscale) and ground phrase."""
    n, size = len(garments), garments.shape[-1]
    names = list(render.COLOURS)
    table = torch.tensor([render.COLOURS[name] for name in names])
    cloth = rng.integers(0, len(names), n)
    first = (cloth + rng.integers(1, len(names), n)) % len(names)  # never the cloth's colour
    second = (first + rng.integers(1, len(names), n)) % len(names)
    kind = rng.integers(0, len(render.GROUNDS), n)
    mix = render.draw_pattern(torch.from_numpy(kind), size=size, generator=generator)[:, None]
    ground = table[first][:, :, None, None] * (1 - mix) + table[second][:, :, None, None] * mix
    coloured = render.compose(garments, cloth=table[cloth], ground=ground)
    pale = torch.from_numpy(rng.choice([0.97, 0.6], n)).float()  # white or grey photo ground
    photo = render.compose(
        garments, cloth=torch.ones(n, 3), ground=pale[:, None, None, None].expand_as(coloured)
    )
    plain = garments[:, None].expand_as(coloured)
    stacked = torch.stack([coloured, photo, plain])
    pixels = stacked[torch.from_numpy(style), torch.arange(n)]
    colours, grounds = [], []
    for i in range(n):
        name = render.STYLES[style[i]]
        colours.append(
            {"coloured": names[cloth[i]], "photo": "black and white", "plain": None}[name]
        )
        pattern = render.GROUNDS[kind[i]]
        texture = "" if pattern == "plain" else f"{pattern} "
        white = "white" if pale[i] > 0.8 else "grey"
        grounds.append(
            {
                "coloured": f"{texture}{names[first[i]]} background",
                "photo": f"{white} background",
                "plain": "black background",
            }[name]
        )
    return pixels, colours, grounds
