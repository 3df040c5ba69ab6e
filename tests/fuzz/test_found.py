"""Files that went wrong once, each written here by code."""

import gzip
import io
import json
import threading
import zipfile

import numpy as np
import pytest

import chainrule as cr
from chainrule.data import images
from chainrule.data.archive import read_npz
from chainrule.data.idx import read_idx
from chainrule.data.images import encode_png
from chainrule.data.packed import largest_unpacked
from chainrule.data.pixel_rows import read_pixel_rows
from chainrule.data.sheet import read_sheet
from chainrule.errors import DataError, ModelFileError, OptionError
from chainrule.io.checkpoint import load_checkpoint
from chainrule.io.plain_json import dump_json, parse_json
from chainrule.io.safetensors import read_safetensors
from chainrule.recipes import read_recipe
from fuzz.campaign import attempt, in_child
from fuzz.corpus import networks, trainer


def safetensors(path, header, content=b""):
    encoded = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(len(encoded).to_bytes(8, "little") + encoded + content)
    return path


def entry(begin, end, dtype="F32", shape=None):
    return {"dtype": dtype, "shape": [(end - begin) // 4] if shape is None else shape, "data_offsets": [begin, end]}


@pytest.mark.parametrize(
    ("header", "size", "message"),
    [
        ({"a": entry(0, 8), "b": entry(4, 12)}, 12, "overlaps"),
        ({"a": entry(0, 8), "b": entry(0, 8)}, 8, "overlaps"),
        ({"a": entry(0, 4), "b": entry(8, 12)}, 12, "gap"),
        ({"a": entry(4, 8)}, 8, "gap"),
        ({"a": entry(0, 4)}, 8, "4 bytes after"),
        ({"a": entry(0, 8)}, 4, "cut off"),
        ({"a": entry(0, 4, "BF16", [2])}, 4, "unknown type"),
        ({"a": entry(0, 4, shape=[1.0])}, 4, "damaged header"),
        ({"a": entry(0, 4, shape=[True])}, 4, "damaged header"),
        ({"a": entry(0, 4, shape=[-1, -1])}, 4, "damaged header"),
        ({"a": entry(0, 4, shape=[1] * 70)}, 4, "does not fit"),
        ({"a": entry(0, 0, shape=[0, 2**62, 2**62])}, 0, "does not fit"),
        ({"__metadata__": {"a": 1}}, 0, "damaged header"),
        (b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{}}', 4, "damaged header"),
        (b'{"a":{"dtype":"F32","shape":[1e999],"data_offsets":[0,4]}}', 4, "damaged header"),
        (b'{"a":' + b"[" * 5000 + b"]" * 5000 + b"}", 0, "damaged header"),
    ],
)
def test_safetensors_that_the_reference_refuses(header, size, message, tmp_path):
    with pytest.raises(ModelFileError, match=message):
        read_safetensors(safetensors(tmp_path / "file", header, bytes(size)))


@pytest.mark.parametrize(
    "text", ["[" * 101 + "]" * 101, '{"a": 1, "a": 2}', "NaN", "-Infinity", "1e999", "9" * 60, "9" * 5000, "1 2"]
)
def test_json_that_is_refused(text):
    with pytest.raises(ValueError, match="."):
        parse_json(text)


def test_json_that_is_read():
    value = {"state": 2**127, "rows": [1.5, None, True, "\u00e9"], "deep": json.loads("[" * 90 + "]" * 90)}
    assert parse_json(dump_json(value)) == value
    with pytest.raises(ValueError, match="JSON compliant"):
        dump_json([float("nan")])


@pytest.mark.parametrize(("value", "half"), [(np.nan, False), (np.inf, True), (1e6, True)])
def test_weights_that_are_not_finite_are_not_saved(value, half, tmp_path):
    network = networks()[0]
    network.layers[1].W.value[0, 0] = value
    with pytest.raises(ModelFileError, match="not finite"):
        cr.save(network, tmp_path / "net.safetensors", half=half)
    assert list(tmp_path.iterdir()) == []


def test_weights_that_are_not_finite_are_not_loaded(tmp_path):
    path = tmp_path / "net.safetensors"
    cr.save(networks()[0], path)
    path.write_bytes(path.read_bytes()[:-4] + np.float32(np.inf).tobytes())
    with pytest.raises(ModelFileError, match="contains inf at"):
        cr.load(path)


def test_weights_larger_than_their_file_are_not_made(tmp_path):
    path = tmp_path / "net.safetensors"
    cr.save(cr.Sequential(cr.Affine(2)).build((3,), seed=0), path)
    content = path.read_bytes()
    encoded = content[8 : 8 + int.from_bytes(content[:8], "little")].replace(b'outputs\\": 2', b'outputs\\": 100000000')
    safetensors(path, encoded, content[-32:])
    with pytest.raises(ModelFileError, match="more than the file has"):
        cr.load(path)


@pytest.mark.parametrize(
    "change",
    [
        lambda d, a: d["steps"].update(optimizer=-1),
        lambda d, a: d["steps"].update(average=2**63),
        lambda d, a: d["steps"].update(average="1"),
        lambda d, a: d.update(frozen=["nothing"]),
        lambda d, a: a.update({name: array.astype(np.float64) for name, array in a.items()}),
        lambda d, a: a.update({name: array * np.nan for name, array in a.items()}),
    ],
)
def test_a_checkpoint_that_is_refused_changes_nothing(change, tmp_path):
    before = trainer()
    data = cr.Dataset(np.random.default_rng(0).random((8, 1, 4, 4), np.float32), np.arange(8) % 2)
    list(before.fit(data, epochs=1, batch_size=4))
    before.save(tmp_path / "checkpoint")
    saved = load_checkpoint(tmp_path / "checkpoint")
    change(saved.description, saved.optimizer)
    after = trainer()
    values = after.network.values.copy()
    with pytest.raises(ModelFileError, match="damaged"):
        saved.restore(after.network, after.optimizer, after.average)
    assert np.array_equal(after.network.values, values)
    assert after.optimizer.state is after.average.state is None
    assert after.optimizer.steps == after.average.steps == 0


def archive(path, members, packing=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", packing) as file:
        for name, member in members.items():
            file.writestr(name, member)
    return path


def npy(array, pickled=False):
    content = io.BytesIO()
    np.save(content, array, allow_pickle=pickled)
    return content.getvalue()


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"x": b"bytes"}, "contains x"),
        ({"x.npy": b"bytes"}, "not an .npz archive"),
        ({"x.npy": npy(np.array([None, 1]), pickled=True)}, "not an .npz archive"),
        ({"x.npy": npy(np.zeros((2, 3)))[:-1]}, "not an .npz archive"),
        ({"x.npy": npy(np.zeros((2, 3))).replace(b"(2, 3)", b"(2**9,)")}, "not an .npz archive"),
        ({"x.npy": npy(np.zeros((2, 3))).replace(b"(2, 3), }   ", b"(99999999999,")}, "not an .npz archive"),
        (
            {"x.npy": npy(np.zeros((2, 3))), "classes.npy": npy(np.array(["a"]))[:-4] + b"\xff" * 4},
            "not an .npz archive",
        ),
        ({"x.npy": npy(np.zeros((4, 2**24), np.uint8))}, "unpacks to more"),
        ({"x.npy": npy(np.zeros((2, 3))), "y.npy": npy(np.array([0, 10**6]))}, "IDs"),
        ({"x.npy": npy(np.zeros((2, 3))), "y.npy": npy(np.array([1j, 2]))}, "labels are of type"),
    ],
)
def test_npz_that_is_refused(members, message, tmp_path):
    with pytest.raises(DataError, match=message):
        read_npz(archive(tmp_path / "data.npz", members))


def test_npz_that_unpacks_without_bounds_is_refused(tmp_path):
    with pytest.raises(DataError, match="not an .npz archive"):
        read_npz(archive(tmp_path / "data.npz", {"x.npy": npy(np.zeros((2, 3)))}, zipfile.ZIP_LZMA))
    np.save(tmp_path / "x.npy", np.zeros(3))
    with pytest.raises(DataError, match="not an .npz archive"):
        read_npz((tmp_path / "x.npy").rename(tmp_path / "x.npz"))


def test_a_packed_bomb_is_refused(tmp_path):
    (tmp_path / "bomb.gz").write_bytes(gzip.compress(bytes(largest_unpacked(0) + 1)))
    with pytest.raises(DataError, match="unpacks to more"):
        read_idx(tmp_path / "bomb.gz")


@pytest.mark.parametrize("text", ["seed = " + "9" * 5000, "seed = " + "9" * 400, "a = " + "[" * 20_000, "#" * 200_000])
def test_recipes_that_are_refused(text, tmp_path):
    (tmp_path / "recipe.toml").write_text(text)
    with pytest.raises(OptionError, match="in the recipe|the recipe"):
        read_recipe(tmp_path / "recipe.toml")


def test_a_chunk_of_two_gigabytes_takes_none(tmp_path):
    content = bytearray(encode_png(np.zeros((6, 5), np.uint8)))
    place = content.index(b"IDAT") - 4
    content[place : place + 4] = (2**31 - 1).to_bytes(4, "big")
    assert in_child(lambda: attempt("pictures", bytes(content), tmp_path)) in ("read", "refused")


def test_pictures_at_once_have_one_allowance(monkeypatch):
    monkeypatch.setattr(images, "MAXIMUM_PIXELS", 100)
    room, inside = images._Room(), threading.Event()
    with room.taken(60):
        thread = threading.Thread(target=lambda: room.taken(60).__enter__() or inside.set())
        thread.start()
        assert not inside.wait(0.1)
    assert inside.wait(5)
    thread.join()


def test_a_pixel_of_5000_digits_is_refused(tmp_path):
    (tmp_path / "digits.csv").write_text("label,a,b,c,d\n" + f"1,{'9' * 5000},0,3,4\n" * 12)
    with pytest.raises(DataError):
        read_pixel_rows(read_sheet(tmp_path / "digits.csv"))


def test_no_labels_of_impossibly_many_classes(tmp_path):
    header = b"{'descr': '|u1', 'fortran_order': False, 'shape': (0, 9223372036854775807), }"
    y = b"\x93NUMPY\x01\x00" + (118).to_bytes(2, "little") + header.ljust(117) + b"\n"
    assert in_child(lambda: attempt("npz", y, tmp_path)) in ("read", "refused")
