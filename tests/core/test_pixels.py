"""Files of every kind to RGB, batches of them, and PNGs back."""

import io

import numpy as np
import pytest
import torch
from mvc.core import pixels as pixels_module
from mvc.core.decoding import MAX_PIXELS, decode, encode_png, examine, read_size
from mvc.core.pixels import choose_side, encode, load
from PIL import Image, ImageOps

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)


def saved(image: Image.Image, suffix: str, **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format=suffix, **options)
    return buffer.getvalue()


def noise(height: int = 9, width: int = 7, seed: int = 0) -> Image.Image:
    rng = np.random.default_rng(seed)
    return Image.fromarray(rng.integers(0, 256, (height, width, 3), dtype=np.uint8))


def notes(data: bytes) -> tuple[str, ...]:
    return examine(data)[1]


@pytest.mark.parametrize("suffix", ["PNG", "BMP", "TIFF", "PPM"])
def test_lossless_rgb_is_unchanged(suffix):
    assert np.array_equal(np.asarray(decode(saved(noise(), suffix))), np.asarray(noise()))
    assert notes(saved(noise(), suffix)) == ()


OTHERS = ["DIB", "ICO", "JPEG2000", "PCX", "QOI", "SGI", "DDS"]


@pytest.mark.parametrize("suffix", OTHERS)
def test_other_lossless_formats_are_read_by_content(suffix):
    image = noise(16, 16)
    data = saved(image, suffix, **({"sizes": [(16, 16)]} if suffix == "ICO" else {}))
    assert np.array_equal(np.asarray(decode(data)), np.asarray(image))


def retagged(data: bytes, brand: bytes) -> bytes:
    """The same picture with another major brand, as some programs write it."""
    return data[:8] + brand + data[12:]


@pytest.mark.parametrize("suffix", ["AVIF", "HEIF"])
def test_the_general_brand_is_read_too(suffix):
    data = saved(Image.new("RGB", (64, 64), RED), suffix)
    assert np.abs(np.asarray(decode(retagged(data, b"mif1")), int) - RED).max() < 12


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["HEIF", "AVIF", "JPEG"])
def test_photographs_come_out_upright_once(suffix, orientation):
    stored = Image.new("RGB", (64, 32), RED)
    stored.paste(BLUE, (0, 0, 16, 16))
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = saved(stored, suffix, exif=exif.tobytes(), quality=95)
    stored.getexif()[0x0112] = orientation
    upright = ImageOps.exif_transpose(stored)
    image = decode(data)
    assert image.size == upright.size
    difference = np.abs(np.asarray(image, int) - np.asarray(upright, int))
    assert difference.mean() < 8


def test_formats_without_a_signature_or_with_another_program_are_not_read():
    for suffix in ("TGA", "EPS", "XBM"):
        image = Image.new("1" if suffix == "XBM" else "RGB", (8, 8))
        with pytest.raises(ValueError, match="not an image"):
            decode(saved(image, suffix))


@pytest.mark.parametrize("suffix", ["JPEG", "WEBP", "AVIF", "HEIF"])
def test_lossy_formats_are_read(suffix):
    image = decode(saved(Image.new("RGB", (16, 16), RED), suffix))
    assert np.abs(np.asarray(image, int) - RED).max() < 12


def test_16_bit_is_scaled_and_not_clipped():
    values = np.array([[0, 128, 129, 257, 4095, 32768, 65407, 65535]], np.uint16)
    data = saved(Image.fromarray(values), "PNG")
    assert notes(data) == ("16-bit",)
    expected = [0, 0, 1, 1, 16, 128, 255, 255]  # round(v / 257), by hand
    assert np.asarray(decode(data))[0, :, 0].tolist() == expected


@pytest.mark.parametrize("suffix", ["PNG", "TIFF", "PPM"])
def test_16_bit_in_every_container(suffix):
    values = np.linspace(0, 65535, 30).astype(np.uint16).reshape(5, 6)
    data = saved(Image.fromarray(values), suffix)
    assert notes(data) == ("16-bit",)
    assert np.array_equal(np.asarray(decode(data))[..., 1], np.round(values / 257).astype(np.uint8))


@pytest.mark.parametrize("kind", [np.int32, np.float32])
def test_pixels_without_a_fixed_white_are_refused(kind):
    data = saved(Image.fromarray(np.full((4, 4), 1000, kind)), "TIFF")
    with pytest.raises(ValueError, match="no fixed white"):
        decode(data)


def test_palette_cmyk_and_bits():
    palette = Image.new("P", (3, 2), 1)
    palette.putpalette([0, 0, 0, *GREEN])
    assert decode(saved(palette, "PNG")).getpixel((1, 1)) == GREEN
    assert notes(saved(palette, "PNG")) == ("palette",)
    cmyk = saved(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "TIFF")
    assert decode(cmyk).getpixel((4, 4)) == RED
    assert notes(cmyk) == ("cmyk",)
    assert notes(saved(Image.new("CMYK", (8, 8)), "JPEG")) == ("cmyk",)
    assert decode(saved(Image.new("1", (2, 2), 1), "PNG")).getpixel((0, 0)) == (255, 255, 255)


@pytest.mark.parametrize("mode, colour", [("RGBA", (255, 0, 0, 0)), ("LA", (0, 0))])
def test_alpha_is_laid_on_white(mode, colour):
    data = saved(Image.new(mode, (2, 2), colour), "PNG")
    assert decode(data).getpixel((0, 0)) == (255, 255, 255)
    assert notes(data) == ("alpha",)


def test_transparent_palette_colour_is_laid_on_white():
    image = Image.new("P", (2, 1), 0)
    image.putpalette([*RED, *BLUE])
    image.putpixel((1, 0), 1)
    data = saved(image, "PNG", transparency=0)
    assert [decode(data).getpixel((x, 0)) for x in (0, 1)] == [(255, 255, 255), BLUE]
    assert notes(data) == ("palette", "alpha")


@pytest.mark.parametrize("suffix", ["GIF", "PNG", "WEBP", "TIFF"])
def test_first_frame_of_several(suffix):
    frames = [Image.new("RGB", (16, 16), colour) for colour in (RED, GREEN, BLUE)]
    options = {"lossless": True} if suffix == "WEBP" else {}
    data = saved(frames[0], suffix, save_all=True, append_images=frames[1:], **options)
    assert decode(data).getpixel((8, 8)) == RED
    assert "animated" in notes(data)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["PNG", "TIFF"])
def test_exif_turns_the_picture_upright(orientation, suffix):
    upright = np.asarray(noise())
    back = {  # what a camera held like this stores: the inverse of the turn that corrects it
        1: lambda a: a,
        2: lambda a: a[:, ::-1],
        3: lambda a: a[::-1, ::-1],
        4: lambda a: a[::-1],
        5: lambda a: a.swapaxes(0, 1),
        6: lambda a: np.rot90(a, 1),
        7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
        8: lambda a: np.rot90(a, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = saved(Image.fromarray(np.ascontiguousarray(back(upright))), suffix, exif=exif)
    assert np.array_equal(np.asarray(decode(data)), upright)
    assert notes(data) == (("exif",) if orientation > 1 else ())


def test_damaged_exif_is_no_reason_to_refuse():
    data = saved(Image.new("RGB", (8, 8), RED), "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff")
    assert decode(data).size == (8, 8)


@pytest.mark.parametrize("suffix", [*"PNG JPEG GIF BMP TIFF WEBP PPM HEIF JPEG2000 QOI".split()])
@pytest.mark.parametrize("share", [0.02, 0.3, 0.7])
def test_truncated_file_is_refused(suffix, share):
    data = saved(noise(40, 40), suffix)
    with pytest.raises(ValueError, match="truncated|damaged|not an image"):
        decode(data[: int(len(data) * share)])


@pytest.mark.parametrize("seed", range(40))
def test_damaged_bytes_give_an_image_or_a_value_error(seed):
    rng = np.random.default_rng(seed)
    suffix = ["PNG", "JPEG", "GIF", "TIFF", "WEBP", "BMP"][seed % 6]
    data = np.frombuffer(saved(noise(30, 30), suffix), np.uint8).copy()
    data[rng.integers(8, len(data), 12)] = rng.integers(0, 256, 12)
    try:
        assert decode(data.tobytes()).mode == "RGB"
    except ValueError as error:
        assert str(error)


def test_empty_and_foreign_files():
    with pytest.raises(ValueError, match="0 bytes"):
        decode(b"")
    with pytest.raises(ValueError, match="not an image"):
        decode(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n")


@pytest.mark.parametrize("side", [9_000, 20_000])
def test_gigantic_image_is_refused_before_it_is_decoded(side):
    data = saved(Image.new("1", (side, side)), "PNG")
    assert side**2 > MAX_PIXELS > 50_000_000  # 50 Mpx cameras exist
    with pytest.raises(ValueError, match=f"at most {MAX_PIXELS:,}"):
        decode(data)


def test_load_is_a_resize_of_the_shortest_side_and_a_centre_crop():
    wide, tall = noise(20, 60), noise(60, 20, seed=1)
    batch = load([saved(wide, "PNG"), saved(tall, "PNG")], size=8)
    bicubic = Image.Resampling.BICUBIC
    references = [
        wide.resize((24, 8), bicubic).crop((8, 0, 16, 8)),
        tall.resize((8, 24), bicubic).crop((0, 8, 8, 16)),
    ]
    for pixels, reference in zip(batch.permute(0, 2, 3, 1), references, strict=True):
        # Pillow resizes along one axis, rounds, then along the other
        assert np.abs(pixels.numpy().astype(int) - np.asarray(reference)).max() <= 1


def test_load_native_keeps_every_pixel_and_needs_one_size():
    batch = load([saved(noise(seed=s), "PNG") for s in (0, 1)], size=None)
    assert np.array_equal(batch[1].permute(1, 2, 0), np.asarray(noise(seed=1)))
    with pytest.raises(ValueError, match="image 1 of the batch is 4 x 3 pixels"):
        load([saved(noise(), "PNG"), saved(noise(3, 4), "PNG")], size=None)
    with pytest.raises(ValueError, match="image 1 of the batch: empty"):
        load([saved(noise(), "PNG"), b""], size=8)
    with pytest.raises(ValueError, match="size = 0"):
        load([], size=0)
    assert load([], size=8).shape == (0, 3, 8, 8)


def test_one_pixel_and_extreme_shapes_are_loaded():
    batch = load(
        [saved(Image.new("RGB", size, GREEN), "PNG") for size in [(1, 1), (1, 60_000)]], size=16
    )
    assert (batch == torch.tensor(GREEN).view(1, 3, 1, 1)).all()


def test_downscaling_is_antialiased():
    stripes = np.zeros((64, 64), np.uint8)
    stripes[:, ::2] = 255
    assert load([encode_png(stripes)], size=8).float().std() < 8  # without: columns of 0 or 255


@pytest.mark.parametrize("grayscale", [True, False])
def test_encode_round_trip_and_determinism(grayscale):
    generator = torch.Generator().manual_seed(0)
    shape = (3, 1, 6, 5) if grayscale else (3, 3, 6, 5)
    pixels = torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8).expand(3, 3, 6, 5)
    files = encode(pixels, grayscale=grayscale)
    assert torch.equal(load(files, size=None), pixels)
    assert files == encode(pixels.clone(), grayscale=grayscale)
    assert Image.open(io.BytesIO(files[0])).mode == ("L" if grayscale else "RGB")


TURNED = ["HEIF", "AVIF", "JPEG", "PNG", "TIFF", "WEBP"]
PLAIN = ["GIF", "JPEG2000", "PSD", "QOI", "BMP", "DIB", "PPM", "SGI", "PCX", "DDS", "ICO"]


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", TURNED)
def test_read_size_is_that_of_the_upright_picture(suffix, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = saved(noise(32, 64), suffix, exif=exif.tobytes())
    assert read_size(data) == decode(data).size


@pytest.mark.parametrize("suffix", [name for name in PLAIN if name != "PSD"])
def test_read_size_of_every_format_that_is_written(suffix):
    data = saved(noise(20, 36), suffix)
    assert read_size(data) == decode(data).size


def test_read_size_and_choose_side_decode_nothing(monkeypatch):
    files = [saved(noise(30, width), "JPEG") for width in (30, 40, 50)]
    decoded = []
    monkeypatch.setattr(Image.Image, "load", lambda image: decoded.append(image))
    assert choose_side(files, resolution=256) == 30
    assert choose_side(files, resolution=256, fit="pad") == 256 and not decoded


def test_read_size_refuses_what_is_no_picture():
    with pytest.raises(ValueError, match="not an image"):
        read_size(b"")


def test_load_gives_the_same_in_several_threads(monkeypatch):
    """More files than wait at once; the first bad one is named, and nothing after it is shown."""
    files = [saved(noise(20, 30 + i % 3, seed=i), "JPEG") for i in range(70)]
    found, shown = [], []
    for threads in (1, 2, 4):
        monkeypatch.setattr(pixels_module.torch, "get_num_threads", lambda n=threads: n)
        found.append(load(files, size=16, show=shown.append))
    assert shown == [*range(1, 71)] * 3 and found[0].is_contiguous()
    assert torch.equal(found[0], found[1]) and torch.equal(found[0], found[2])
    with pytest.raises(ValueError, match="image 50 of the batch: .*not an image"):
        load([*files[:50], b"no", b"neither"], size=16)
