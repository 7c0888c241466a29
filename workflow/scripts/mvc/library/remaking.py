"""Any synthetic image again, from its row in a shard."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch
from PIL import Image
from safetensors.torch import load_file

from mvc.banks.recipes import Recipes, leave_unmixed, read_recipes
from mvc.core import image_tables
from mvc.core.decoding import decode
from mvc.core.device import pick_device
from mvc.core.hashing import digest_files
from mvc.core.image_tables import get_bytes, get_fit
from mvc.core.instructions import limit_instructions
from mvc.core.pixels import choose_side, resize
from mvc.library.arguments import open_pixels
from mvc.models.parts import DIFFUSERS, list_model_files
from mvc.synthetic.origin import read_origin
from mvc.synthetic.plan import assign_entries, describe_generator
from mvc.synthetic.sampler import load_sampler, read_sampling


def remake(shard: str | Path, row: int) -> Image.Image:
    """Make a synthetic image again, from its row: the same pixels on a machine of the same type.

    The row says recipe, source image, seed and generator; the shard's metadata say the settings.
    The other files are those of the run, `results/<data set>/` around the shard.

    The last bit of a result depends on the shape of a batch and on the image's row in it, but not
    on the other images (`mvc/core/batching.py`). So a whole batch is sampled, with this image in
    its own row and in place of all others; neither the shard nor its neighbours are needed. On a
    GPU whose memory did not suffice for `synthetic.batch_size`, last digits may differ.

    Args:
        shard: `results/<data set>/synthetic/<generator>/<i>-of-<n>.parquet`, of a generator.
        row: counted from 0.

    Raises:
        FileNotFoundError: the shard, or a file that it was made from, is not there.
        IndexError: the shard has no such row; says how many there are.
        ValueError: another kind of file, or models, images, embeddings or recipes other than those
            that the shard was made from; names them.
    """
    origin = read_origin(shard)
    limit_instructions(origin["cfg"].get("instructions"))
    entry = take_row(shard, row)
    results = Path(shard).absolute().parents[2]
    models = {"diffusion": find_model(origin["cfg"]["diffusion"], results)}
    inputs = {
        "images": [results / "images/train.parquet"],
        "embeddings": [results / "embeddings.safetensors"],
        "bank": [results / "bank.parquet"],
        "models": list_model_files(models, "vae", "scheduler"),
    }
    for name, files in inputs.items():
        check_digest(shard, name, origin["digests"][name], digest_files(*files), files)
    cfg = origin["cfg"] | models
    unet, weights = cfg["diffusion"], list_model_files(models, "unet")
    if entry["generator"] == "finetuned":
        unet, weights = results / "unet", [str(results / f"unet/{DIFFUSERS}.safetensors")]
    digest = describe_generator(cfg, weights)["digest"]
    check_digest(shard, "the U-Net", entry["generator_digest"], digest, weights or [unet])
    train, bank = (image_tables.read(*inputs[name]) for name in ("images", "bank"))
    embeddings = load_file(*inputs["embeddings"])
    with _set_threads(origin["threads"]):
        return sample_entry(entry, unet, cfg, train, bank, embeddings)


def sample_entry(
    entry: Mapping, unet: str | Path, cfg: Mapping, train: pa.Table, bank: pa.Table, embeddings
) -> Image.Image:
    """Sample the image of a row.

    Args:
        entry: the row.
        unet: folder or hub name of its U-Net.
        cfg: what its stage read of the configuration.
        train, bank, embeddings: what it was made from.
    """
    index = int(entry["image_id"].rsplit("/", 1)[1])
    masks = assign_entries(cfg["generator"], bank, cfg.get("pretrained_share", 0))
    place = int(masks[entry["generator"]][:index].sum())
    source = train["image_id"].to_pylist().index(entry["source_image_id"])
    fit = get_fit(train)
    models = {"diffusion": cfg["diffusion"], "device": pick_device()}
    sampler = load_sampler(unet, embeddings, sampling=read_sampling(cfg), **models)
    contents = get_bytes(train)
    (pixels,) = sampler.sample(
        find_recipe(entry, bank, source),
        [entry["seed"]],
        [contents[source]] if sampler.conditioned else None,
        side=cfg["resolution"],
        fit=fit,
        places=[place],
    )
    side = choose_side(contents, resolution=cfg["resolution"], fit=fit)
    return open_pixels(resize(pixels, side))[0]


def find_recipe(entry: Mapping, bank: pa.Table, source: int) -> Recipes:
    """Find the recipe of a row: its entry in the bank, or its source's caption, unmixed."""
    if entry["bank_id"] is None:
        return leave_unmixed([source])
    return read_recipes(bank.slice(bank["bank_id"].to_pylist().index(entry["bank_id"]), 1))


def take_row(shard: str | Path, row: int) -> dict:
    """Take a row of a shard.

    Raises:
        IndexError: there is no such row.
    """
    table = image_tables.read(shard)
    if not 0 <= row < len(table):
        raise IndexError(f"{shard} has no row {row}; it has rows 0 to {len(table) - 1}")
    return table.slice(row, 1).to_pylist()[0]


def find_model(name: str, results: Path) -> str:
    """Find a model's folder, which a configuration names from the folder that holds `results/`."""
    folder = results.parents[1] / name
    return str(folder) if folder.is_dir() else name


def check_digest(shard: str | Path, what: str, made: str, there: str, files: list) -> None:
    """Refuse files other than those that a shard was made from.

    Raises:
        ValueError: names them, and both digests.
    """
    if made != there:
        raise ValueError(
            f"{shard} was made from {what} of digest {made}; of {', '.join(map(str, files))} it is "
            f"{there}: the image cannot be made again. Run the workflow again, which makes the "
            "shard from these"
        )


def describe_difference(image: Image.Image, shard: str | Path, row: int) -> str:
    """Describe whether an image that was made again is the one in its shard."""
    stored = np.asarray(decode(take_row(shard, row)["image"]["bytes"]), int)
    differences = np.abs(np.asarray(image.convert("RGB"), int) - stored)
    if not differences.any():
        return "the same pixels as in the shard"
    return (
        f"{(differences > 0).mean():.1%} of the values differ from the shard's, by at most "
        f"{differences.max()} of 255: it was made on a machine of another type, whose arithmetic "
        "rounds otherwise"
    )


@contextmanager
def _set_threads(count: int) -> Iterator[None]:
    """Compute in that many CPU threads for a while, on which the last bit depends, too."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
