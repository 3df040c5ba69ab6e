"""Picture files: opened upright and with bounded size, in gray or color, resized and rotated."""

import io
import os
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.arrays import Array, Pair
from chainrule.errors import DataError, MissingExtraError
from chainrule.files import explain, replacing

__all__ = [
    "MAXIMUM_PIXELS",
    "draw_boxes",
    "encode_jpeg",
    "encode_png",
    "fit_picture",
    "picture_pixels",
    "read_colour",
    "read_gray",
    "resize",
    "turn",
    "write_png",
]

MAXIMUM_PIXELS = 50_000_000
"""Larger pictures are refused before decoding; all pictures decoded at once stay within it together."""

_FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF", "PPM", "AVIF", "JPEG2000", "ICO")
"""The formats tried. Pillow knows many more, some of which start other programs."""

_LONGEST = 2**28
_BLOCK = 4096
"""Bytes that Pillow decodes at a time, holding Python's lock; they can unpack to a thousand times as many."""

_ORIENTATION = 0x0112
"""The EXIF tag."""


def read_gray(source: str | os.PathLike[str] | bytes) -> Array:
    """The picture in a file, or in the bytes of one, as brightness (H, W) uint8.

    It is rotated upright by its EXIF data, and transparency is blended over white. For an animated picture it is the
    first frame; more than 8 bits per pixel are stretched to 0..255.

    Raises:
        DataError: it is missing, not a picture, damaged, or larger than MAXIMUM_PIXELS.
        MissingExtraError: Pillow is not installed.
    """
    return _read(source, "L")


def read_colour(source: str | os.PathLike[str] | bytes) -> Array:
    """The picture as red, green and blue (H, W, 3) uint8; otherwise like `read_gray`."""
    return _read(source, "RGB")


def _read(source: str | os.PathLike[str] | bytes, mode: str) -> Array:
    Image, ImageOps = _pillow()
    path = "the picture" if isinstance(source, bytes) else os.fspath(source)
    try:
        picture = _opened(source if isinstance(source, bytes) else _content(Path(source)))
        with picture, _ROOM.taken(picture.width * picture.height):
            if picture.width * picture.height > MAXIMUM_PIXELS:
                raise DataError(
                    f"{path} has {picture.width} x {picture.height} pixels, more than {MAXIMUM_PIXELS:,}: "
                    "make it smaller"
                )
            turned = picture.getexif().get(_ORIENTATION, 1) != 1
            upright = ImageOps.exif_transpose(picture) if turned else picture  # transposing copies
            if upright.mode.startswith("I") or upright.mode == "F":  # 16 bits or more per pixel
                upright = Image.fromarray(_to_bytes(np.array(upright, dtype=np.float32)))
            if "A" in upright.getbands() or "transparency" in upright.info:
                colour = upright.convert("RGBA")
                upright = Image.alpha_composite(Image.new("RGBA", colour.size, "white"), colour)
            return np.asarray(upright.convert(mode))
    except DataError:
        raise
    except OSError as error:
        reason = explain(error) if error.errno else "it is not a picture, or it is damaged: try a PNG or JPEG"
        raise DataError(f"cannot read {path}: {reason}") from error
    except Image.DecompressionBombError as error:
        raise DataError(f"{path} has more than {MAXIMUM_PIXELS:,} pixels: make it smaller") from error
    except Exception as error:  # Pillow does not document what it raises on damaged bytes
        raise DataError(f"cannot read {path}: it is not a picture, or it is damaged: try a PNG or JPEG") from error


def picture_pixels(content: bytes) -> int:
    """The number of pixels of a picture, from the header in its bytes; 0 if they are not a picture."""
    try:
        with _opened(content) as picture:
            return int(picture.width * picture.height)
    except MissingExtraError:
        raise
    except Exception:  # Pillow does not document what it raises on damaged bytes
        return 0


def _opened(content: bytes) -> Any:
    """A picture whose header is read and whose pixels are not yet decoded."""
    Image, _ = _pillow()
    Image.init()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # our limit is lower
        picture = Image.open(io.BytesIO(content), formats=[name for name in _FORMATS if name in Image.OPEN])
    picture.decodermaxblock = _BLOCK
    return picture


def _content(path: Path) -> bytes:
    """The bytes of a file; from an open file, Pillow would read (and allocate) as many as a damaged chunk claims."""
    with path.open("rb") as file:
        content = file.read(_LONGEST + 1)
    if len(content) > _LONGEST:
        raise DataError(f"{path} is larger than {_LONGEST:,} bytes: make the picture smaller")
    return content


def resize(picture: Array, height: int, width: int) -> Array:
    """(H, W) float32 or uint8 -> (height, width): area means to shrink, bicubic interpolation to enlarge."""
    Image, _ = _pillow()
    smaller = height * width < picture.size
    method = Image.Resampling.BOX if smaller else Image.Resampling.BICUBIC
    return np.asarray(Image.fromarray(picture).resize((width, height), method))


def turn(picture: Array, degrees: float) -> Array:
    """(H, W) float32 rotated counter-clockwise about its center, enlarged so nothing is cut off; new pixels are 0."""
    Image, _ = _pillow()
    image = Image.fromarray(picture)
    return np.asarray(image.rotate(degrees, Image.Resampling.BICUBIC, expand=True))


def fit_picture(picture: Array, size: int | Pair = 28) -> Array:
    """(H, W) or (H, W, 3) uint8 of any size -> (height, width) or (height, width, 3): the whole picture, centered, with
    its aspect ratio kept.

    The rest is filled with the median of its border. A picture that has this size is unchanged; `size` is (height,
    width), or one number for both.
    """
    wanted = (size, size) if isinstance(size, int) else size
    if picture.shape[:2] == wanted:
        return picture
    scale = min(length / own for length, own in zip(wanted, picture.shape[:2], strict=True))
    height, width = (min(most, max(1, round(own * scale))) for own, most in zip(picture.shape[:2], wanted, strict=True))
    border = np.concatenate([picture[0], picture[-1], picture[:, 0], picture[:, -1]])
    canvas = np.empty((*wanted, *picture.shape[2:]), np.uint8)
    canvas[...] = np.median(border, axis=0)
    top, left = (wanted[0] - height) // 2, (wanted[1] - width) // 2
    canvas[top : top + height, left : left + width] = resize(picture, height, width)
    return canvas


def draw_boxes(
    picture: Array,
    boxes: Sequence[tuple[int, int, int, int]],
    texts: Sequence[str],
    colours: Sequence[tuple[int, int, int]],
) -> Array:
    """(H, W, 3) uint8 with a frame around each box (left, top, right, bottom) and its text above it."""
    Image, _ = _pillow()
    from PIL import ImageDraw, ImageFont

    image = Image.fromarray(picture)
    brush = ImageDraw.Draw(image)
    width = max(1, round(max(picture.shape) / 600))
    for (left, top, right, bottom), text, colour in zip(boxes, texts, colours, strict=True):
        brush.rectangle((left - width, top - width, right + width - 1, bottom + width - 1), outline=colour, width=width)
        if text:
            size = min(max(12, round(0.45 * (bottom - top))), 60)
            below = top - width < 1.3 * size
            place = (left, bottom + width) if below else (left, top - width)
            font = ImageFont.load_default(size)
            brush.text(place, text, fill=colour, font=font, anchor="lt" if below else "lb")
    return np.asarray(image)


def encode_png(picture: Array) -> bytes:
    """(H, W) or (H, W, 3) uint8 -> the bytes of a PNG file."""
    return _encoded(picture, "PNG")


def encode_jpeg(picture: Array) -> bytes:
    """(H, W) or (H, W, 3) uint8 -> the bytes of a JPEG file."""
    return _encoded(picture, "JPEG")


def _encoded(picture: Array, form: str) -> bytes:
    Image, _ = _pillow()
    content = io.BytesIO()
    Image.fromarray(picture).save(content, format=form)
    return content.getvalue()


def write_png(picture: Array, path: str | os.PathLike[str]) -> None:
    """(H, W) or (H, W, 3) uint8 -> a PNG file; an existing one is replaced when the new one is complete."""
    content = encode_png(picture)
    with replacing(path) as file:
        file.write(content)


def _to_bytes(values: Array) -> Array:
    """Any range of brightness, stretched to 0..255."""
    low, high = float(values.min()), float(values.max())
    if not high - low < np.finfo(np.float32).max:  # NaN too
        raise DataError("the picture's brightness is not finite: save it as PNG")
    values -= np.float32(low)
    values *= np.float32(255 / max(high - low, 1e-12))
    scaled: Array = np.clip(values, 0, 255, out=values).astype(np.uint8)
    return scaled


class _Room:
    """Admits pictures while those inside have at most MAXIMUM_PIXELS together; the others wait."""

    def __init__(self) -> None:
        self._inside = 0
        self._changed = threading.Condition()

    @contextmanager
    def taken(self, pixels: int) -> Iterator[None]:
        """Within the block this many pixels are inside; a picture that is too large is refused instead of waiting."""
        pixels = pixels if pixels <= MAXIMUM_PIXELS else 0
        with self._changed:
            self._changed.wait_for(lambda: self._inside + pixels <= MAXIMUM_PIXELS)
            self._inside += pixels
        try:
            yield
        finally:
            with self._changed:
                self._inside -= pixels
                self._changed.notify_all()


_ROOM = _Room()


def _pillow() -> tuple[Any, Any]:
    try:
        from PIL import Image, ImageOps
    except ModuleNotFoundError:
        raise MissingExtraError("Pillow", "reading pictures") from None
    return Image, ImageOps
