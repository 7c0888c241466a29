"""Decoding of image files to 8-bit RGB. Imports no torch, so that it loads fast.

A file is what its content says, whatever its name. Only `FORMATS` are read. Of Pillow's others some
call other programs (EPS, WMF), some have no signature of their own, so that any file might pass for
a picture (TGA, XBM), and some hold measurements (FITS, GRIB).

What is not plain RGB or grey is converted by a fixed rule and named in the notes of `examine`:

animated  first frame (GIF, APNG, WebP; first page of a TIFF; main picture of a HEIC)
cmyk      Pillow's plain conversion; colour profiles are not applied
16-bit    the whole range 0..65535 to 0..255, rounded: never clipped, and never stretched by an
          image's own range, so that the images of one set stay comparable
palette   looked up
alpha     laid on white, for which most cut-out pictures are made
exif      turned or mirrored as its orientation tag says; a HEIC is stored with its turn, and its
          tag is not read
"""

import io
import warnings

import numpy as np
from jaxtyping import UInt8
from PIL import Image, UnidentifiedImageError
from pillow_heif import register_heif_opener

register_heif_opener()

# Tried in this order: AVIF and HEIF share a container, the last few have short signatures.
FORMATS = {
    "JPEG": {".jfi", ".jfif", ".jif", ".jpe", ".jpeg", ".jpg", ".mpo"},
    "PNG": {".apng", ".png"},
    "GIF": {".gif"},
    "WEBP": {".webp"},
    "AVIF": {".avif", ".avifs"},
    "HEIF": {".heic", ".heics", ".heif", ".heifs", ".hif"},
    "JPEG2000": {".j2c", ".j2k", ".jp2", ".jpc", ".jpf", ".jpx"},
    "TIFF": {".tif", ".tiff"},
    "PSD": {".psd"},
    "DDS": {".dds"},
    "QOI": {".qoi"},
    "SUN": {".ras"},
    "BMP": {".bmp"},
    "PPM": {".pam", ".pbm", ".pgm", ".pnm", ".ppm"},
    "SGI": {".bw", ".rgb", ".rgba", ".sgi"},
    "ICO": {".ico"},
    "DIB": {".dib"},
    "PCX": {".pcx"},
}
MAX_PIXELS = 64_000_000  # 8,000 x 8,000: about 200 MB as RGB
ONE_PICTURE = ("MPO", "PSD")  # their further frames are previews and layers
NOTES = ("animated", "cmyk", "16-bit", "palette", "alpha", "exif")

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_SIDEWAYS = (5, 6, 7, 8)  # turns that exchange width and height


def decode(data: bytes) -> Image.Image:
    """Decode the picture in `data` to RGB, upright.

    Raises:
        ValueError: there is none; gives the reason.
    """
    return examine(data)[0]


def examine(data: bytes) -> tuple[Image.Image, tuple[str, ...], set[str]]:
    """Decode as `decode` does; also list the conversions needed and the suffixes of the format.

    The conversions are a subset of `NOTES`, in that order.
    """
    if not data:
        raise ValueError("empty file (0 bytes)")
    image = _open(data)
    suffixes = FORMATS.get(image.format, FORMATS["JPEG"])  # MPO: a JPEG with previews behind it
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise ValueError(f"{width} x {height} pixels; at most {MAX_PIXELS:,} are decoded")
    try:
        notes = _list_notes(image)
        image.load()
        turn = _TURNS.get(_read_orientation(image))
        image = _convert_to_rgb(image)
    except MemoryError:
        raise
    except Exception as error:  # damaged files make Pillow's readers raise nearly anything
        raise ValueError(f"truncated or damaged: {error}") from error
    return (image if turn is None else image.transpose(turn)), notes, suffixes


def read_size(data: bytes) -> tuple[int, int]:
    """Read width and height of the picture that `decode` would return, from its header alone.

    Raises:
        ValueError: there is no picture; gives the reason. Damage behind the header is not seen.
    """
    image = _open(data)
    if image.format == "ICO":  # its directory need not state the true side
        return decode(data).size
    sideways = image.format != "TIFF" and _read_orientation(image) in _SIDEWAYS  # TIFF: done
    return image.size[::-1] if sideways else image.size


def encode_png(pixels: UInt8[np.ndarray, "h w"] | UInt8[np.ndarray, "h w 3"]) -> bytes:
    """Lossless PNG of a grey or RGB array; the same array gives the same bytes."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG")
    return buffer.getvalue()


def _open(data: bytes) -> Image.Image:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # examine has its own limit
        try:
            return Image.open(io.BytesIO(data), formats=tuple(FORMATS))
        except UnidentifiedImageError:
            raise ValueError("not an image, or its beginning is damaged") from None
        except Image.DecompressionBombError:
            raise ValueError(f"too many pixels; at most {MAX_PIXELS:,} are decoded") from None
        except MemoryError:
            raise
        except Exception as error:
            raise ValueError(f"damaged: {error}") from error


def _list_notes(image: Image.Image) -> tuple[str, ...]:
    """List what is special about an opened file; call it before `load`, which drops some of it."""
    layout = str(image.tile[0][3]) if image.tile else ""  # raw mode, as "RGB;16B"
    special = {
        "animated": image.format not in ONE_PICTURE and getattr(image, "is_animated", False),
        "cmyk": image.mode == "CMYK",
        "16-bit": image.mode.startswith("I") or (";16" in layout and "BGR" not in layout),
        "palette": image.mode in ("P", "PA"),
        "alpha": image.has_transparency_data,
        "exif": _read_orientation(image) in _TURNS,
    }
    return tuple(note for note in NOTES if special[note])


def _read_orientation(image: Image.Image) -> int:
    try:
        return image.getexif().get(0x0112, 1)
    except Exception:  # a damaged tag block says nothing about the picture
        return 1


def _convert_to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):
        return _convert_16_bit(image).convert("RGB")
    if image.mode == "F":
        raise ValueError(
            "floating-point pixels have no fixed white; save the image with 8 or 16 bits"
        )
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert("RGB")


def _convert_16_bit(image: Image.Image) -> Image.Image:
    values = np.asarray(image).astype(np.int64)
    # Pillow widens 16-bit PGM to its 32-bit mode; a true 32-bit picture has no fixed white
    if values.min() < 0 or values.max() > 65535 or (image.mode == "I" and image.format == "TIFF"):
        raise ValueError("32-bit pixels have no fixed white; save the image with 8 or 16 bits")
    return Image.fromarray(((values + 128) // 257).astype(np.uint8))
