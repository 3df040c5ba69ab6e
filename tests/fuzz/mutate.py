"""Corrupt files with some knowledge of their format: bytes, numbers, pieces, JSON values, members of archives."""

import io
import json
import random
import re
import zipfile
from typing import Any

import onnx
from google.protobuf.message import DecodeError

from chainrule.io import onnx_constants, onnx_operators

NUMBERS = [0, -1, 1, 2, 255, 256, 65535, 2**31 - 1, 2**31, 2**32, 2**53, 2**62, 2**63 - 1, 2**63, 2**64, 10**6]
OPERATORS = sorted([*onnx_operators.OPERATORS, *onnx_operators.JOINS, *onnx_constants.CONSTANT, "If", "", "x"])
VALUES: list[Any] = [
    *NUMBERS, None, True, "", "x", [], {}, [0], [[]], {"type": "Sequential"}, 1e308, -1e308, 0.5, -0.0, 10**40, 10**400,
    float("nan"), float("inf"), "9" * 5000, "\ud800", [2**31] * 8, {"repeat": 0}, {"repeat": -1},
]  # fmt: skip
TEXTS = [
    b"nan",
    b"inf",
    b"1e999",
    b"-1",
    b"9" * 5000,
    b"[" * 2000,
    b"\xff\xfe",
    b"\0",
    b",",
    b'"',
    b"99999999999999999999",
]


def mutate(content: bytes, rng: random.Random) -> bytes:
    """Make one to four changes."""
    ways = [_bytes, _integer, _piece, _text]
    if content[:2] == b"PK":
        ways += [_archive] * 6
    elif content[:1] == b"\x08":
        ways += [_model] * 12
    elif content[8:9] == b"{":
        ways += [_header] * 8
    elif content[:1] == b"{":
        ways += [_json] * 8
    for _ in range(rng.choice((1, 1, 2, 4))):
        content = rng.choice(ways)(content, rng)
    return content


def _bytes(content: bytes, rng: random.Random) -> bytes:
    changed = bytearray(content)
    for _ in range(rng.choice((1, 2, 8))):
        if changed:
            changed[rng.randrange(len(changed))] = rng.choice((0, 1, 127, 128, 255, rng.randrange(256)))
    return bytes(changed)


def _integer(content: bytes, rng: random.Random) -> bytes:
    size, place = rng.choice((2, 4, 8)), rng.randrange(len(content) + 1)
    value = rng.choice(NUMBERS) % 256**size
    return content[:place] + value.to_bytes(size, rng.choice(("little", "big"))) + content[place + size :]


def _piece(content: bytes, rng: random.Random) -> bytes:
    """Truncate, cut out, or duplicate a piece."""
    first, last = sorted(rng.randrange(len(content) + 1) for _ in range(2))
    return rng.choice((content[:last], content[:first] + content[last:], content[:last] + content[first:]))[:200_000]


def _text(content: bytes, rng: random.Random) -> bytes:
    """Replace a number that is written as text, or any bytes."""
    numbers = [match.span() for match in re.finditer(rb"\d+(\.\d+)?", content[:20_000])]
    first, last = rng.choice(numbers) if numbers else (rng.randrange(len(content) + 1),) * 2
    return content[:first] + rng.choice([*TEXTS, *(str(number).encode() for number in NUMBERS)]) + content[last:]


def _json(content: bytes, rng: random.Random) -> bytes:
    try:
        value = json.loads(content)
    except (ValueError, RecursionError):
        return _bytes(content, rng)
    return json.dumps(_changed(value, rng)).encode()


def _header(content: bytes, rng: random.Random) -> bytes:
    """Change a safetensors header, or the JSON in its metadata."""
    length = int.from_bytes(content[:8], "little")
    try:
        header = json.loads(content[8 : 8 + length])
        texts = header["__metadata__"]
        name = rng.choice(list(texts))
        if rng.random() < 0.6:
            texts[name] = json.dumps(_changed(json.loads(texts[name]), rng))
        else:
            header = _changed(header, rng)
        encoded = json.dumps(header).encode()
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError):
        return _bytes(content, rng)
    return len(encoded).to_bytes(8, "little") + encoded + content[8 + length :]


def _changed(value: Any, rng: random.Random) -> Any:
    """Replace, remove, duplicate or nest one value somewhere in JSON data."""
    if isinstance(value, dict | list) and value and rng.random() < 0.85:
        key = rng.choice(list(value)) if isinstance(value, dict) else rng.randrange(len(value))
        way = rng.random()
        if way < 0.05:
            del value[key]
        elif way < 0.1 and isinstance(value, list):
            value += [value[key]] * rng.choice((1, 50))
        else:
            value[key] = _changed(value[key], rng)
        return value
    if rng.random() < 0.1:
        for _ in range(rng.choice((1, 30, 200))):
            value = [value]
        return value
    return rng.choice(VALUES)


def _model(content: bytes, rng: random.Random) -> bytes:
    """Change, remove or duplicate a field somewhere in an ONNX model."""
    model = onnx.ModelProto()
    try:
        model.ParseFromString(content)
        message: Any = model.graph if rng.random() < 0.9 else model
        while True:
            field, value = rng.choice(message.ListFields())
            if not isinstance(value, str | bytes) and hasattr(value, "__len__"):
                way, place = rng.random(), rng.randrange(len(value))
                if way < 0.1:
                    del value[place]
                elif way < 0.2:
                    value.extend([value[place]] * rng.choice((1, 1, 40)))
                elif field.message_type is None:
                    value[place] = _other(value[place], rng)
                else:
                    message = value[place]
                    continue
                return model.SerializeToString()
            if field.message_type is None:
                setattr(message, field.name, _other(value, rng))
                return model.SerializeToString()
            message = value
    except (DecodeError, ValueError, TypeError, IndexError):
        return _bytes(content, rng)


def _other(value: Any, rng: random.Random) -> Any:
    if isinstance(value, bytes):
        return rng.choice((_bytes, _piece, _integer))(value, rng)
    if isinstance(value, str):
        return rng.choice(OPERATORS)
    if isinstance(value, float):
        return rng.choice((0.0, -1.0, float("nan"), float("inf"), 1e-45, 3e38))
    return rng.choice([*(number for number in NUMBERS if number < 2**31), value + 1, value - 1, 2**40, 2**62])


def _archive(content: bytes, rng: random.Random) -> bytes:
    """Change, rename or remove a member of a zip, or turn it into a bomb."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
        name = rng.choice(list(members))
        way = rng.randrange(8)
        if way == 0:
            members[rng.choice((name.removesuffix(".npy"), "../" + name, "y_train.npy"))] = members.pop(name)
        elif way == 1:
            members[name] += bytes(rng.choice((1, 10**5, 10**7)))
        else:
            members[name] = rng.choice((_bytes, _integer, _piece, _text))(members[name], rng)
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", rng.choice((0, 8, 8, 12, 14)), compresslevel=1) as archive:
            for name, member in members.items():
                archive.writestr(name, member)
        return out.getvalue()
    except Exception:  # it is no longer a valid archive
        return _bytes(content, rng)
