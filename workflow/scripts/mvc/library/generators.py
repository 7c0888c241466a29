"""Images by a Stable Diffusion, fine-tuned or not, and the CLIP filter."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import pandas as pd
from PIL import Image
from torch import Tensor

from mvc.banks.recipes import stack_recipes
from mvc.core.device import pick_device
from mvc.core.square import FITS
from mvc.library.arguments import (
    Picture,
    check_choice,
    check_embeddings,
    check_lengths,
    list_recipes,
    open_pixels,
    read_images,
)
from mvc.synthetic.clip_filter import measure_clip_probability
from mvc.synthetic.guidance import MODES
from mvc.synthetic.plan import derive_noise_seed
from mvc.synthetic.sampler import Sampler, Sampling, load_sampler


def load_generator(
    unet: str | Path | None,
    embeddings: Mapping[str, Tensor],
    *,
    diffusion: str,
    steps: int = 20,
    guidance: str = "text",
    scale: float | int = 2.0,
    image_scale: float | int = 1.5,
    interval: Sequence[float | int] | None = None,
    order: int = 2,
    karras: bool = False,
    batch_size: int = 50,
) -> Sampler:
    """Load a generator: a U-Net and the rest of its Stable Diffusion.

    Args:
        unet: folder that `tune` or the target `results/<data set>/unet/` has made; None takes the
            pre-trained U-Net, which no image conditions.
        embeddings: what `embed` returns, of which recipes are mixed.
        diffusion: folder or hub name of the Stable Diffusion.

    The others are keys of the section `synthetic` of the configuration.
    """
    check_choice("guidance", guidance, MODES)
    check_embeddings(embeddings)
    sampling = Sampling(steps, guidance, scale, image_scale, batch_size, interval, order, karras)
    models = {"diffusion": diffusion, "sampling": sampling, "device": pick_device()}
    return load_sampler(diffusion if unet is None else unet, embeddings, **models)


def generate(
    generator: Sampler,
    recipes: pd.DataFrame,
    images: Iterable[Picture] | None = None,
    *,
    seeds: Iterable[int] | None = None,
    resolution: int = 32,
    fit: str = "crop",
    seed: int = 0,
) -> list[Image.Image]:
    """Generate an image for each recipe (Section 3.3).

    Args:
        generator: what `load_generator` returns.
        recipes: n rows of `mix`, or of a `bank.parquet`.
        images: n conditioning images, of the recipes' classes; of a fine-tuned generator alone.
        seeds: of the noise of each image; None derives them from `seed` and the row's place.
        resolution: side in pixels, a multiple of the VAE's factor (8 in Stable Diffusion).
        fit: how oblong conditioning images become squares: crop, pad or squash.
    """
    check_choice("fit", fit, FITS)
    if generator.conditioned != (images is not None):
        needed = "one for each recipe: it is fine-tuned" if generator.conditioned else "None"
        raise ValueError(f"images = {images!r}; of this generator must be {needed}")
    sources = None if images is None else read_images(images)
    name = "pretrained" if sources is None else "finetuned"
    places = range(len(recipes))
    seeds = [derive_noise_seed(seed, name, i) for i in places] if seeds is None else list(seeds)
    check_lengths(recipes=recipes, seeds=seeds, images=recipes if sources is None else sources)
    stacked = stack_recipes(list_recipes(recipes))
    batches = generator.sample(stacked, seeds, sources, side=resolution, fit=fit)
    return [image for pixels in batches for image in open_pixels(pixels)]


def filter(
    images: Iterable[Picture],
    class_names: Iterable[str],
    *,
    clip: str,
    keep: int | None = None,
    classes: Iterable[str] | None = None,
    prefix: str = "This is an image of {class}",
    batch_size: int = 50,
) -> pd.DataFrame:
    """Measure how sure CLIP is of each image's class, and choose the surest of each class.

    Args:
        images, class_names: the images and the classes that they are to show.
        clip: CLIP's folder or name.
        keep: images kept per class; None keeps all.
        classes: all classes, among which CLIP decides; None takes those of the images.
        prefix: the text of a class, see `embed`.
        batch_size: as in the section `synthetic` of the configuration.

    Returns:
        A row for each image: `class_name`, `clip_probability` of that class, `kept`.

    Raises:
        ValueError: an image's class is none of `classes`.
    """
    files, class_names = read_images(images), list(class_names)
    check_lengths(images=files, class_names=class_names)
    names = list(dict.fromkeys(class_names if classes is None else classes))
    for name in class_names:
        check_choice("class_name", name, names)
    chances = measure_clip_probability(
        files,
        [names.index(name) for name in class_names],
        dict(enumerate(names)),
        clip=clip,
        prefix=prefix,
        batch_size=batch_size,
        device=pick_device(),
        places=range(len(files)),
    )
    found = pd.DataFrame({"class_name": class_names, "clip_probability": chances.numpy()})
    ranks = found.groupby("class_name")["clip_probability"].rank(method="first", ascending=False)
    return found.assign(kept=True if keep is None else ranks <= keep)
