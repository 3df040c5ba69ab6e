"""The ten readers, each with whole files made by code."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

import chainrule as cr
from chainrule.data.archive import read_mapped, read_npz
from chainrule.data.idx import read_idx
from chainrule.data.images import read_colour, read_gray
from chainrule.data.pixel_rows import read_csv
from chainrule.data.reading import Reading
from chainrule.data.text_file import read_text
from chainrule.errors import DataError
from chainrule.io.onnx_export import export_onnx
from chainrule.io.onnx_import import import_onnx
from chainrule.recipes import NAMES, read_recipe
from chainrule.recipes.recipe import _FOLDER
from chainrule.training import Trainer


@dataclass(frozen=True)
class Reader:
    """How a file is read, what its name ends in, and whole files to change."""

    ending: str
    read: Callable[[Path], Any]
    seeds: Callable[[Path], list[bytes]]


def networks() -> list[cr.Sequential]:
    small = cr.Sequential(cr.Flatten(), cr.Affine(3), cr.ReLU(), cr.Affine(2)).build((1, 4, 4), seed=1)
    images = cr.Sequential(
        cr.Scale(1 / 255), cr.Conv2D(2, 3, padding="same"), cr.BatchNorm(), cr.ReLU(), cr.MaxPool2D(2),
        cr.Residual(cr.Conv2D(2, 3, padding=1)), cr.GlobalAvgPool2D(), cr.Dropout(0.5), cr.Affine(2),
    ).build((1, 4, 4), seed=2)  # fmt: skip
    table = cr.data.TablePreparation(
        (cr.data.Column("area", None, 1.5), cr.data.Column("kind", tuple("abcdefghijklmno"))), "price", "classification"
    )
    small.preparation, images.preparation = table, cr.data.PicturePreparation(4, 4, ground="dark")
    return [small, images]


def writers() -> list[cr.Sequential]:
    text = "a hill, a hill\n从前有座山"
    made = []
    for tokenizer in (cr.data.Characters("".join(sorted(set(text)))), cr.data.learn_byte_pairs([text], 260)):
        network = cr.models.char_lstm(tokenizer.size, size=2, hidden=2).build((3,), seed=1)
        network.preparation = cr.data.TextPreparation(tokenizer, 3)
        made.append(network)
    return made


def trainer() -> Trainer:
    return Trainer(
        networks()[0], loss=cr.SoftmaxCrossEntropy(), optimizer=cr.Adam(), average=cr.WeightAverage(0.9), seed=0
    )


def _weights(folder: Path) -> list[bytes]:
    files = []
    for index, network in enumerate(networks()):
        cr.save(network, folder / "seed", labels="01", half=bool(index))
        files.append((folder / "seed").read_bytes())
    for network in writers():
        cr.save(network, folder / "seed")
        files.append((folder / "seed").read_bytes())
    return files


def _checkpoints(folder: Path) -> list[bytes]:
    one = trainer()
    rng = np.random.default_rng(0)
    data = cr.Dataset(rng.random((8, 1, 4, 4), np.float32), np.arange(8) % 2)
    list(one.fit(data, epochs=1, batch_size=4))
    one.save(folder / "seed")
    return [(folder / "seed").read_bytes()]


def _idx(_: Path) -> list[bytes]:
    return [
        b"\0\0\x08\x01" + (4).to_bytes(4, "big") + bytes(range(4)),
        b"\0\0\x08\x03" + b"".join(n.to_bytes(4, "big") for n in (2, 3, 4)) + bytes(range(24)),
    ]


def _csv(_: Path) -> list[bytes]:
    rows = "\n".join(",".join(map(str, (row % 3, *range(row, row + 9)))) for row in range(5))
    table = ["area;kind;price", *(f"{row},5;{'ab'[row % 2]};{row % 3 or '?'}" for row in range(24))]
    words = ["id,name,class", *(f'{row},"n {row % 4}",{["red", "blue"][row % 2]}' for row in range(24))]
    return [
        rows.encode(),
        b"label," + ",".join(f"pixel{i}" for i in range(9)).encode() + b"\n" + rows.encode(),
        "\n".join(table).encode(),
        "\r\n".join(words).encode("utf-16"),
        b"\xef\xbb\xbf# " + "\n".join(table).replace(";", "\t").encode(),
    ]


def _read_csv(path: Path) -> Any:
    """A file as pictures, as a table, and as rows for a network."""
    problems = []
    for read in (
        lambda: read_csv(path),
        lambda: cr.data.load(path, tell=lambda note: None),
        lambda: cr.data.load_new(path, networks()[0].preparation, (16,), tell=lambda note: None),
    ):
        try:
            return read()
        except DataError as error:
            problems.append(error)
    raise problems[0]


def _texts(_: Path) -> list[bytes]:
    text = "Once there was a hill.\nOn it\tstood a house.\r\n从前有座山，山上有座庙。" * 3
    return [text.encode(), b"\xef\xbb\xbf" + text.encode()]


def _read_text(path: Path) -> Any:
    """A file as characters and as byte pairs."""
    parts = [read_text(path, Reading(tokens=kind, context=3, vocabulary=270)) for kind in ("characters", "pairs")]
    return [part.preparation.tokenizer.decode(part.tokens.tolist()) for pair in parts for part in pair]


def _npz(folder: Path) -> list[bytes]:
    x, y = np.arange(80, dtype=np.uint8).reshape(5, 4, 4), np.arange(5)
    files = []
    for save in (np.savez, np.savez_compressed):
        save(folder / "seed.npz", x=x, y=y, classes=np.array(list("abcde")))
        files.append((folder / "seed.npz").read_bytes())
    for array in (x, x.astype(np.float32), x[:, :, 0].T):
        np.save(folder / "seed.npy", array)
        files.append((folder / "seed.npy").read_bytes())
    return files


def _read_npz(path: Path) -> Any:
    content = path.read_bytes()
    if content[:2] == b"PK":
        return read_npz(path)
    for name in ("x.npy", "y.npy"):
        (path.parent / name).write_bytes(content)
    return read_mapped(path.parent)


def _pictures(folder: Path) -> list[bytes]:
    from PIL import Image

    files = []
    for mode, endings in {
        "RGB": ("png", "jpg", "bmp", "gif", "webp", "tif", "ppm"), "RGBA": ("png", "tif"), "I;16": ("png", "tif"),
        "P": ("png", "gif"), "F": ("tif",), "1": ("png", "tif"),
    }.items():  # fmt: skip
        values = np.random.default_rng(0).integers(0, 255, (6, 5, 4), np.uint8)
        picture = Image.fromarray(values).convert("RGB")
        if mode == "I;16":
            picture = Image.fromarray(values[..., 0].astype(np.uint16) * 200)
        elif mode != "RGB":
            picture = picture.convert(mode)
        for ending in endings:
            picture.save(folder / f"seed.{ending}", **({"compression": "tiff_lzw"} if ending == "tif" else {}))
            files.append((folder / f"seed.{ending}").read_bytes())
    return files


def _read_picture(path: Path) -> Any:
    return read_gray(path), read_colour(path.read_bytes())


def _recipes(_: Path) -> list[bytes]:
    return [(_FOLDER / f"{name}.toml").read_bytes() for name in NAMES]


def _onnx(folder: Path) -> list[bytes]:
    files = []
    for network in networks():
        export_onnx(network, folder / "seed.onnx")
        files.append((folder / "seed.onnx").read_bytes())
    return files


def _descriptions(folder: Path) -> list[bytes]:
    files = []
    for network in [*networks(), *writers()]:
        cr.save(network, folder / "seed", labels=None if network.takes_indices else "01")
        content = (folder / "seed").read_bytes()
        metadata = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])["__metadata__"]
        files.append(json.dumps({k: v if k == "chainrule" else json.loads(v) for k, v in metadata.items()}).encode())
    return files


@cache
def _arrays() -> list[dict[str, np.ndarray]]:
    return [network.arrays for network in [*networks(), *writers()]]


def _read_description(path: Path) -> Any:
    """The description of a network, in a file that is whole otherwise."""
    content = path.read_bytes()
    try:
        values = json.loads(content)
        metadata = {k: v if k == "chainrule" and isinstance(v, str) else json.dumps(v) for k, v in values.items()}
    except (ValueError, AttributeError, RecursionError):
        metadata = {"chainrule": "0.2.0", "network": content.decode("latin-1")}
    arrays = _arrays()[2 + (b"merges" in content) if b"LSTM" in content else b"Conv2D" in content]
    header: dict[str, Any] = {"__metadata__": metadata}
    place = 0
    for name, array in arrays.items():
        header[name] = {"dtype": "F32", "shape": array.shape, "data_offsets": (place, place + array.nbytes)}
        place += array.nbytes
    encoded = json.dumps(header).encode()
    path.write_bytes(len(encoded).to_bytes(8, "little") + encoded + b"".join(map(np.ndarray.tobytes, arrays.values())))
    return cr.load(path)


READERS: dict[str, Reader] = {
    "weights": Reader("safetensors", cr.load, _weights),
    "checkpoint": Reader("safetensors", lambda path: trainer().resume(path), _checkpoints),
    "idx": Reader("idx", read_idx, _idx),
    "text": Reader("txt", _read_text, _texts),
    "csv": Reader("csv", _read_csv, _csv),
    "npz": Reader("npz", _read_npz, _npz),
    "pictures": Reader("png", _read_picture, _pictures),
    "recipe": Reader("toml", read_recipe, _recipes),
    "onnx": Reader("onnx", import_onnx, _onnx),
    "description": Reader("safetensors", _read_description, _descriptions),
}
