"""Quality of the finished miniature models, in numbers and in pictures.

Axes: n pictures, c = 3 colour channels, h = w pixels; j numbers of CLIP's joint space.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image
from torch import Tensor

from mvc.miniature import captioner, clip, render, unet, vae
from mvc.miniature.corpus import Corpus
from mvc.miniature.templates import SYNONYMS, add_article
from mvc.models.blip2 import load_captioner
from mvc.models.clip import compute_text_states, load_clip, tokenize
from mvc.models.stable_diffusion import load_unet, load_vae
from mvc.quality.metrics import compute_frechet

LOOKS = (
    ("bright red", "plain white background"),
    ("dark blue", "striped yellow background"),
    ("green", "dotted pink background"),
    ("bright black and white", "white background"),
)
ZOOM = 3  # screen pixels of a picture's pixel


@dataclass
class Models:
    """The finished models, loaded by the functions of the main pipeline."""

    folder: Path  # with blip2/, clip/, stable-diffusion/

    def __post_init__(self) -> None:
        diffusion = self.folder / "stable-diffusion"
        self.captioner, self.processor = load_captioner(str(self.folder / "blip2"))
        self.clip, _, self.tokens = load_clip(str(self.folder / "clip"))
        self.vae = load_vae(diffusion)
        self.unet = load_unet(diffusion, text_width=self.clip.text.width)

    def measure(self, target: Corpus, held: Corpus, *, captions: int) -> dict[str, dict]:
        """Measure the numbers of the cards.

        Args:
            target: real greyscale images of the target data set.
            held: the held-out pictures of the corpus.
            captions: number of the target's images that are captioned.
        """
        few = target.select(np.arange(min(captions, len(target.labels))))
        named = captioner.measure_quality(self.captioner, self.processor, few.images, few.labels)
        guess = clip.predict_zero_shot(self.clip, target.images, self.tokens).numpy()
        psnr = vae.compute_psnr(target.images, self.reconstruct(target.images))
        return {
            "captioner": named,
            "clip": {
                **clip.measure_quality(self.clip, held, self.tokens),
                "zero_shot_class_target": round(100 * float((guess == target.labels).mean()), 1),
            },
            "vae": {"target": round(psnr, 2), **vae.measure_quality(self.vae, held)},
        }

    def measure_samples(
        self, held: Corpus, *, count: int, steps: int, scale: float, seed: int
    ) -> dict[str, float]:
        """Measure pictures that are drawn from held-out captions, none of a plain picture.

        Returns:
            `frechet`, their Fréchet distance from the corpus's own pictures of these captions, in
            CLIP's features.
        """
        rows = np.flatnonzero(held.styles != render.STYLES.index("plain"))[:count]
        own = held.select(rows)
        drawn = self._draw(own.captions, steps=steps, scale=scale, seed=seed)
        distance = compute_frechet(self._see(drawn), self._see(own.images))
        return {"frechet": round(distance, 4)}

    def reconstruct(self, images: UInt8[Tensor, "n 3 h w"]) -> UInt8[Tensor, "n 3 h w"]:
        """Reconstruct images by the autoencoder."""
        return vae.decode(self.vae, vae.encode_latents(self.vae, images))

    def sample(self, *, steps: int, scale: float, seed: int) -> UInt8[Tensor, "k 3 h w"]:
        """Sample one picture for each of `list_captions`."""
        return self._draw(list_captions(), steps=steps, scale=scale, seed=seed)

    def _draw(self, captions: Sequence[str], *, steps: int, scale: float, seed: int) -> Tensor:
        ids, _ = tokenize(self.tokens, ["", *captions])
        states = compute_text_states(self.clip, ids)
        generator = torch.Generator().manual_seed(seed)
        return unet.draw(
            self.unet,
            self.vae,
            self.folder / "stable-diffusion",
            text=states[1:],
            null=states[0],
            steps=steps,
            scale=scale,
            generator=generator,
        )

    @torch.no_grad()
    def _see(self, images: UInt8[Tensor, "n 3 h w"]) -> Float[np.ndarray, "n j"]:
        seen = self.clip.visual(clip.normalise_pixels(images))
        return torch.nn.functional.normalize(seen, dim=-1).double().numpy()


def convert_to_target(
    images: UInt8[np.ndarray, "n 28 28"], labels: UInt8[np.ndarray, " n"], *, size: int
) -> Corpus:
    """Convert real greyscale images to plain pictures, as the main pipeline shows them."""
    large = render.enlarge(torch.from_numpy(images.copy()).float() / 255, size)
    pixels = (large * 255).round().to(torch.uint8)[:, None].expand(-1, 3, -1, -1)
    styles = np.full(len(images), render.STYLES.index("plain"))
    rows = np.arange(len(images))
    return Corpus(pixels, [""] * len(rows), labels.astype(np.int64), styles, rows)


def list_captions() -> list[str]:
    """List captions of four looks of each of the ten classes, look by look."""
    return [
        f"a photo of {add_article(f'{look} {words[0]}')} on {add_article(ground)}"
        for look, ground in LOOKS
        for words in SYNONYMS
    ]


def draw_grid(pictures: UInt8[Tensor, "n 3 h w"], *, columns: int) -> Image.Image:
    """Draw pictures side by side, enlarged without smoothing, two white pixels apart."""
    n, side = len(pictures), pictures.shape[-1] * ZOOM
    rows = -(-n // columns)
    canvas = Image.new("RGB", (columns * (side + 2), rows * (side + 2)), "white")
    for i, picture in enumerate(pictures):
        tile = Image.fromarray(picture.permute(1, 2, 0).numpy())
        place = ((i % columns) * (side + 2), (i // columns) * (side + 2))
        canvas.paste(tile.resize((side, side), Image.Resampling.NEAREST), place)
    return canvas
