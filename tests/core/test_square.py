"""Oblong images become squares as `images.fit` says, in every stage that decodes them."""

import io

import numpy as np
import pytest
import torch
from image_builds import build
from mvc.core import image_tables
from mvc.core.image_set import load_labelled
from mvc.core.pixels import choose_side, load
from mvc.core.square import FITS, decode_square, fit_square
from mvc.images.build import write_split
from PIL import Image
from raw_data import FILES


def draw_end(width: int, height: int) -> Image.Image:
    """A black picture whose object, a white square, sits at the left or upper end."""
    array = np.zeros((height, width, 3), np.uint8)
    array[: min(width, height), : min(width, height)] = 255
    return Image.fromarray(array)


def save(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format="PNG")
    return buffer.getvalue()


@pytest.mark.parametrize("size", [(96, 32), (32, 96)])
@pytest.mark.parametrize("fit, share", [("crop", 0), ("pad", 1 / 9), ("squash", 1 / 3)])
def test_fit_square_keeps_an_object_at_an_end(size, fit, share):
    square = np.asarray(fit_square(draw_end(*size), 48, fit))
    assert square.shape == (48, 48, 3)
    assert abs(square.mean() / 255 - share) < 0.02


@pytest.mark.parametrize("fit", FITS)
def test_fit_square_changes_no_square_image(fit):
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (9, 9, 3), dtype=np.uint8))
    assert np.array_equal(fit_square(image, 9, fit), image)
    assert np.array_equal(fit_square(image, 5, fit), image.resize((5, 5), Image.BICUBIC))
    assert np.array_equal(decode_square(save(image), fit), image)


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("size", [(1, 60_000), (60_000, 1), (3, 2)])
def test_fit_square_takes_any_shape(fit, size):
    image = Image.new("RGB", size, "white")
    assert fit_square(image, 32, fit).size == (32, 32)
    side = decode_square(save(image), fit).size
    assert side[0] == side[1] <= 1024


def test_fit_square_refuses_an_unknown_fit():
    with pytest.raises(ValueError, match="images.fit = 'stretch'; must be one of crop"):
        fit_square(Image.new("RGB", (3, 2)), 4, "stretch")


def test_choose_side_keeps_the_scale_of_what_is_shown():
    files = [save(draw_end(96, 32))] * 2
    assert [choose_side(files, resolution=512, fit=fit) for fit in FITS] == [32, 96, 96]


@pytest.mark.parametrize("fit", FITS)
def test_images_fit_travels_with_the_table_of_real_images(tmp_path, fit):
    for part in ("train", "test"):
        for name, shade in (("a", 255), ("b", 128)):
            folder = tmp_path / "raw" / part / name
            folder.mkdir(parents=True)
            for i in range(3):
                array = np.asarray(draw_end(96, 32)) // 255 * (shade - i - 9 * (part == "test"))
                Image.fromarray(array.astype(np.uint8)).save(folder / f"{i}.png")
    built = build(tmp_path, "imagefolder", tmp_path / "raw", FILES, fit=fit)
    path = tmp_path / "train.parquet"
    write_split(built, "train", path)
    table = image_tables.read(path, ["image", "label", "class_name", "image_id", "sha256"])
    table = table.append_column("source_image_id", table["image_id"]).take([0, 1]).slice(0, 2)
    image_tables.write(table, tmp_path / "again.parquet")
    table = image_tables.read([tmp_path / "again.parquet"] * 2)
    assert image_tables.get_fit(table) == fit
    seen = load_labelled(table, size=24).images
    assert torch.equal(seen, load(image_tables.get_bytes(table), size=24, fit=fit))
    assert (float(seen.float().mean()) > 5) == (fit != "crop")
