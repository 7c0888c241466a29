"""What readers show of the augmented set is what the classifiers see."""

import io

import numpy as np
import pytest
from mvc.augmented.prepared import encode_shown
from mvc.core.decoding import decode
from mvc.core.image_set import prepare_pixels
from PIL import Image

RNG = np.random.default_rng(0)
RGB = Image.fromarray(RNG.integers(0, 256, (9, 7, 3), np.uint8))
GREY = RGB.convert("L")
DEEP = Image.fromarray(RNG.integers(0, 65536, (9, 7), np.uint16))
CLEAR = RGB.copy()
CLEAR.putalpha(GREY)
PALETTE = RGB.quantize(8)


def save(image, suffix, **options):
    buffer = io.BytesIO()
    image.save(buffer, format=suffix, **options)
    return buffer.getvalue()


def turned(suffix, orientation=6):
    exif = Image.Exif()
    exif[0x0112] = orientation
    return save(RGB, suffix, exif=exif)


KEPT = {
    "png": save(RGB, "PNG"),
    "jpeg": save(RGB, "JPEG"),
    "bmp": save(RGB, "BMP"),
    "webp": save(RGB, "WEBP"),
    "ppm": save(RGB, "PPM"),
    "upright by its tag": turned("JPEG", 1),
}
CONVERTED = {
    "grey jpeg": save(GREY, "JPEG"),
    "tiff": save(RGB, "TIFF"),
    "ycbcr tiff": save(RGB.convert("YCbCr"), "TIFF"),
    "palette": save(PALETTE, "PNG"),
    "one bit": save(GREY.convert("1"), "PNG"),
    "heic": save(RGB, "HEIF"),
    "jpeg 2000": save(RGB, "JPEG2000"),
    "dib": save(RGB, "DIB"),
    "16-bit png": save(DEEP, "PNG"),
    "16-bit tiff": save(DEEP, "TIFF"),
    "16-bit pgm": save(DEEP, "PPM"),
    "exif jpeg": turned("JPEG"),
    "exif png": turned("PNG"),
    "exif webp": turned("WEBP", 3),
    "exif tiff": turned("TIFF", 5),
    "alpha": save(CLEAR, "PNG"),
    "alpha webp": save(CLEAR, "WEBP"),
    "grey and alpha": save(CLEAR.convert("LA"), "PNG"),
    "transparent palette": save(PALETTE, "PNG", transparency=0),
    "transparent colour": save(RGB, "PNG", transparency=RGB.getpixel((0, 0))),
    "cmyk": save(RGB.convert("CMYK"), "JPEG"),
    "gif": save(RGB, "GIF"),
    "avif": save(RGB, "AVIF"),
    "apng": save(RGB, "PNG", save_all=True, append_images=[GREY.convert("RGB")]),
    "animated webp": save(RGB, "WEBP", save_all=True, append_images=[GREY.convert("RGB")]),
    "pages": save(RGB, "TIFF", save_all=True, append_images=[GREY.convert("RGB")]),
}


def show(data, size=None, grayscale=False):
    pixels = prepare_pixels([data], size=size, grayscale=grayscale)[0].numpy()
    real = {"synthetic": False}
    return (*encode_shown(data, pixels, real, grayscale=grayscale), pixels)


@pytest.mark.parametrize("kind", KEPT | CONVERTED)
def test_image_folder_shows_what_classifiers_see(kind, tmp_path):
    from torchvision.datasets import ImageFolder

    data = (KEPT | CONVERTED)[kind]
    shown, suffix, pixels = show(data)
    assert (shown == data) == (kind in KEPT)
    (tmp_path / "class").mkdir()
    (tmp_path / f"class/image{suffix}").write_bytes(shown)
    ((image, _),) = ImageFolder(str(tmp_path))
    assert np.array_equal(np.asarray(image), np.asarray(decode(data)))
    assert np.array_equal(np.asarray(image).transpose(2, 0, 1), pixels)
    with Image.open(io.BytesIO(shown)) as opened:
        assert opened.mode == "RGB" and not opened.info.get("transparency")
        assert not getattr(opened, "is_animated", False)


@pytest.mark.parametrize("data", [KEPT["png"], KEPT["jpeg"], save(GREY.convert("RGB"), "PNG")])
def test_all_files_of_a_grey_set_have_one_channel(data):
    shown, suffix, pixels = show(data, grayscale=True)
    with Image.open(io.BytesIO(shown)) as opened:
        assert suffix == ".png" and opened.mode == "L"
        assert np.array_equal(np.asarray(opened), pixels[0])
    assert show(save(GREY, "JPEG"), grayscale=True)[0] == save(GREY, "JPEG")


def test_all_files_have_the_size_that_classifiers_see():
    shown, _, pixels = show(KEPT["jpeg"], size=5)
    with Image.open(io.BytesIO(shown)) as opened:
        assert opened.size == (5, 5) and opened.format == "PNG"
        assert np.array_equal(np.asarray(opened).transpose(2, 0, 1), pixels)


def test_a_wrong_suffix_is_mended_by_the_content():
    assert show(KEPT["jpeg"])[1] == ".jpg" and show(KEPT["png"])[1] == ".png"
