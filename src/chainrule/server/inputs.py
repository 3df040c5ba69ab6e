"""Turns a request into one sample for a network: from a picture file, or from numbers or a text as JSON."""

import asyncio
import math
from collections.abc import Callable
from typing import Annotated, Any

import numpy as np
from fastapi import Query, Request
from pydantic_core import from_json
from starlette.concurrency import run_in_threadpool

from chainrule.arrays import Array, name_shape
from chainrule.data.images import picture_pixels
from chainrule.errors import DataError
from chainrule.server.problems import ProblemError
from chainrule.server.shelf import Served
from chainrule.server.texts import LONGEST_TEXT, read_tokens

__all__ = [
    "BODY",
    "FILE_BODY",
    "PICTURES",
    "PICTURE_BODY",
    "TEXT_BODY",
    "AsInTraining",
    "Index",
    "ModelName",
    "check_pixels",
    "read_index",
    "read_picture",
    "read_sample",
    "read_text",
]

ModelName = Annotated[
    str | None, Query(max_length=200, description="One of /api/models, or training:ID:STEP; by default the first.")
]
AsInTraining = Annotated[
    bool, Query(description="as in training, with this sample as the batch: BatchNorm uses its mean and variance")
]
Index = Annotated[str, Query(pattern=r"^\d{1,9}(,\d{1,9}){0,7}$", description="such as 3,4")]
"""Parameters of a query."""

PICTURES = ("image/png", "image/jpeg", "image/webp", "image/gif", "image/bmp", "image/tiff")
_LARGEST_NUMBER = 1e6
_MOST_PIXELS = 25_000_000
"""Maximum pixels of a picture; decoding takes up to 12 bytes per pixel."""
_SHORT = 16 * 1024
"""A shorter JSON body is parsed faster than another thread starts."""

_FILE = {kind: {"schema": {"type": "string", "format": "binary"}} for kind in PICTURES}
PICTURE_BODY: dict[str, Any] = {"requestBody": {"required": True, "content": _FILE}}
"""OpenAPI description of the bytes of a picture file."""

_PIXELS = {
    "type": "object",
    "required": ["pixels"],
    "additionalProperties": False,
    "properties": {
        "pixels": {
            "type": "array",
            "items": {},
            "description": "A sample as the network reads it (input_shape of /api/models), as nested lists or as one "
            "list: pixels 0 to 255, or other numbers.",
        }
    },
    "example": {"pixels": [0] * 784},
}
_TEXT = {
    "type": "object",
    "required": ["text"],
    "additionalProperties": False,
    "properties": {"text": {"type": "string", "minLength": 1, "maxLength": LONGEST_TEXT}},
    "example": {"text": "ROMEO:"},
}
BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": {"anyOf": [_PIXELS, _TEXT]}}, **_FILE},
    }
}
"""OpenAPI description of numbers, a text, or a picture file."""
FILE_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}
"""OpenAPI description of the bytes of any file."""
TEXT_BODY: dict[str, Any] = {"requestBody": {"required": True, "content": {"application/json": {"schema": _TEXT}}}}
"""OpenAPI description of a text."""


async def read_sample(request: Request, served: Served, steps: Callable[[str, Array], None] | None = None) -> Array:
    """The body of a request as one sample (*input_shape).

    Raises:
        ProblemError: the body does not match its content type, or is not a sample for this network.
    """
    kind = _kind(request)
    if kind == "application/json":
        body = await request.body()
        return _from_json(body, served) if len(body) < _SHORT else await run_in_threadpool(_from_json, body, served)
    if kind in PICTURES:
        if served.picture is None:
            reads, cure = ("numbers", "pixels") if served.text is None else ("text", "text")
            raise ProblemError(415, f"{served.name} reads {reads}, no picture: send JSON with {cure}")
        body = await request.body()
        loop, pictures = asyncio.get_running_loop(), request.app.state.pictures
        return await loop.run_in_executor(pictures, _prepare, body, served, steps)
    raise ProblemError(
        415, f"Content-Type {kind or '(none)'} is not read: send application/json, image/png or image/jpeg"
    )


async def read_text(request: Request, served: Served) -> str:
    """The body of a request as a text for this network.

    Raises:
        ProblemError: it is not a text, or the network does not write text.
    """
    if served.text is None:
        raise ProblemError(422, f"{served.name} writes no text: use a network that learned from one, such as char-gpt")
    kind = _kind(request)
    if kind != "application/json":
        raise ProblemError(415, f"Content-Type {kind or '(none)'} is not read: send application/json")
    return _text(await request.body(), served)


def read_index(text: str) -> tuple[int, ...]:
    """ "3,4" as an index."""
    return tuple(int(number) for number in text.split(","))


async def read_picture(request: Request) -> bytes:
    """The body of a request, which must be a picture file."""
    kind = _kind(request)
    if kind not in PICTURES:
        raise ProblemError(415, f"Content-Type {kind or '(none)'} is not read: send image/png or image/jpeg")
    return await request.body()


def check_pixels(content: bytes) -> None:
    """Raise ProblemError if a picture is too large to decode here; unreadable ones are left to the reader."""
    pixels = picture_pixels(content)
    if pixels > _MOST_PIXELS:
        raise ProblemError(413, f"the picture has {pixels:,} pixels, more than {_MOST_PIXELS:,}: make it smaller")


def _kind(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def _prepare(content: bytes, served: Served, steps: Callable[[str, Array], None] | None) -> Array:
    """A picture, prepared like the network's training pictures."""
    check_pixels(content)
    assert served.picture is not None
    try:
        return served.picture.picture(content, steps).reshape(served.shape)
    except DataError as error:
        cure = ": draw darker or larger" if served.picture.way == "center" else ""
        raise ProblemError(422, f"{error}{cure}") from error


def _from_json(body: bytes, served: Served) -> Array:
    if served.text is not None:
        return read_tokens(_text(body, served), served.text)
    values = _numbers(body, math.prod(served.shape))
    if values.shape != served.shape and not _is_sample(values, served):
        raise ProblemError(
            422, f"{served.name} reads {name_shape(served.shape)}, pixels are {name_shape(values.shape)}"
        )
    if served.picture is not None:
        if values.min() < 0 or values.max() > 255:
            raise ProblemError(422, f"pixels are from 0 to 255, got {values.min():g} to {values.max():g}")
        if values.dtype.kind in "iu" or (values == np.floor(values)).all():
            return values.astype(np.uint8).reshape(served.shape)
    elif np.abs(values).max() > _LARGEST_NUMBER:
        raise ProblemError(422, f"numbers are from -1e6 to 1e6, got {values.min():g} to {values.max():g}")
    return values.astype(np.float32).reshape(served.shape)


def _is_sample(values: Array, served: Served) -> bool:
    """Whether an array is a flattened sample, or one without its axes of length 1."""
    if values.ndim == 1:
        return values.size == math.prod(served.shape)
    return [n for n in values.shape if n > 1] == [n for n in served.shape if n > 1]


def _text(body: bytes, served: Served) -> str:
    """The "text" of a JSON body."""
    content = _content(body, '{"text": "..."}')
    if not isinstance(content, dict) or set(content) != {"text"} or not isinstance(content["text"], str):
        raise ProblemError(422, f'{served.name} reads text: the body must be {{"text": "..."}} and nothing else')
    return content["text"]


def _content(body: bytes, form: str) -> Any:
    try:
        return from_json(body, allow_inf_nan=False)
    except ValueError as error:
        raise ProblemError(400, f"the body is not JSON ({error}): send {form}") from error


def _numbers(body: bytes, most: int) -> Array:
    """The array "pixels" of a JSON body: at most `most` finite numbers."""
    values = body.count(b",") + 1
    if values > most:  # checked before parsing, which holds Python's lock
        raise ProblemError(422, f"the body lists {values:,} values, more than the {most:,} of a sample")
    content = _content(body, '{"pixels": [...]}')
    if not isinstance(content, dict) or set(content) != {"pixels"} or not isinstance(content["pixels"], list):
        raise ProblemError(422, 'the body must be {"pixels": [...]} and nothing else')
    try:
        pixels = np.array(content["pixels"])
        if pixels.dtype.kind not in "iuf":
            raise TypeError("not all of them are numbers")
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise ProblemError(
            422, f"pixels are not an array of numbers: rows of equal length are needed ({error})"
        ) from error
    if not pixels.size:
        raise ProblemError(422, "pixels must be numbers, one or more")
    return pixels
