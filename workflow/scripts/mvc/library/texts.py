"""Captions, their embeddings, and mixtures of these.

Axes: k captions, n recipes, m context tokens, d text width.
"""

from collections import Counter
from collections.abc import Iterable, Mapping

import pandas as pd
from jaxtyping import Float
from torch import Tensor

from mvc.banks import change, mixing
from mvc.banks.recipes import stack_recipes, tabulate_recipes
from mvc.captions.prompts import make_prompt
from mvc.core.counts import PerReal, count_extra
from mvc.core.device import pick_device
from mvc.core.square import FITS, decode_square
from mvc.library.arguments import (
    Picture,
    assign_labels,
    check_choice,
    check_embeddings,
    check_lengths,
    list_recipes,
    read_images,
)

ROWS, EDITS, BASES = ("all", "content"), ("mvc", "noise"), ("uniform", "round_robin")


def caption(
    images: Iterable[Picture],
    *,
    captioner: str,
    max_new_tokens: int = 40,
    num_beams: int = 3,
    batch_size: int = 32,
    fit: str = "crop",
) -> list[str]:
    """Caption images by BLIP-2 (Section 3.2).

    Args:
        images: paths or Pillow's images.
        captioner: folder or hub name of a BLIP-2.
        max_new_tokens, num_beams, batch_size: as in the section `captions` of the configuration.
        fit: how oblong images become squares: crop, pad or squash.
    """
    check_choice("fit", fit, FITS)
    from mvc.captions.generation import generate_captions
    from mvc.models.blip2 import load_captioner

    squares = [decode_square(data, fit) for data in read_images(images)]
    model, processor = load_captioner(captioner, device=pick_device())
    search = {"max_new_tokens": max_new_tokens, "num_beams": num_beams, "batch_size": batch_size}
    return list(generate_captions(squares, model=model, processor=processor, **search))


def embed(
    captions: Iterable[str],
    class_names: Iterable[str] | None = None,
    *,
    clip: str,
    diffusion: str,
    prefix: str = "This is an image of {class}",
    batch_size: int = 64,
) -> dict[str, Tensor]:
    """Embed captions as the U-Net of a Stable Diffusion reads them (Section 3.2).

    Args:
        captions: k texts.
        class_names: the class of each, which `prefix` puts before it; None embeds the texts alone.
        clip: CLIP's folder or name, whose text tower the U-Net was trained with.
        diffusion: folder or hub name of the Stable Diffusion.
        prefix: text before each caption; `{class}` is the name of the class.
        batch_size: as in the section `embeddings` of the configuration.

    Returns:
        `tokens` (k, m, d) and `null` (m, d), of an empty text, in float16; `n_tokens` (k), the
        length of each text, of which what exceeds m is cut.
    """
    captions = list(captions)
    if class_names is not None:
        class_names = list(class_names)
        check_lengths(captions=captions, class_names=class_names)
        pairs = zip(captions, class_names, strict=True)
        captions = [make_prompt(text, name, prefix=prefix) for text, name in pairs]
    from mvc.embeddings import embed_distinct
    from mvc.models.clip import load_text_tower

    model, tokenizer, padding = load_text_tower(clip, diffusion, device=pick_device())
    settings = {"tokenizer": tokenizer, "batch_size": batch_size, "padding": padding}
    return embed_distinct(captions, model=model, **settings)


def mix(
    embeddings: Mapping[str, Tensor],
    class_names: Iterable[str],
    *,
    per_real: PerReal = 16,
    per_class: int | None = None,
    coarse: int = 2,
    fine: int = 8,
    rows: str = "all",
    edits: str = "mvc",
    base: str = "uniform",
    seed: int = 0,
) -> pd.DataFrame:
    """Draw recipes of mixed embeddings, class by class (Algorithm 1).

    Args:
        embeddings: what `embed` returns.
        class_names: the class of each caption.
        per_real, per_class, coarse, fine, rows, edits, base: as in the section `banks` of the
            configuration.
        seed: of all random choices.

    Returns:
        A row for each recipe, as in `bank.parquet`, and its `class_name`. Labels number the classes
        in the order of their first appearance; `base` and donors are rows of the embeddings.
    """
    check_choice("rows", rows, ROWS)
    check_choice("edits", edits, EDITS)
    check_choice("base", base, BASES)
    check_embeddings(embeddings)
    tokens, class_names = embeddings["tokens"], list(class_names)
    check_lengths(embeddings=tokens, class_names=class_names)
    quota = {"per_real": per_real, "per_class": per_class, "section": "banks"}
    counts = count_extra(Counter(class_names), **quota)
    drawn = mixing.mix_classes(
        assign_labels(class_names),
        tokens,
        embeddings["n_tokens"],
        counts=dict(enumerate(counts.values())),
        coarse=coarse,
        fine=fine,
        rows=rows,
        base=base,
        seed=seed,
    )
    recipes = change.choose_edits(tokens, list(drawn), edits)
    changes = change.measure_changes(tokens, stack_recipes(recipes))
    bank = tabulate_recipes(recipes, changes.tolist()).to_pandas()
    return bank.assign(class_name=[list(counts)[label] for label in bank["label"]])


def materialise(embeddings: Mapping[str, Tensor], recipes: pd.DataFrame) -> Float[Tensor, "n m d"]:
    """Make the mixed embeddings of recipes.

    Args:
        embeddings: what `embed` returns.
        recipes: rows of `mix`, or of a `bank.parquet`.
    """
    check_embeddings(embeddings)
    return mixing.materialise(embeddings["tokens"], stack_recipes(list_recipes(recipes)))
