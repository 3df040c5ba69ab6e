"""IDX files: what is written can be read back, and every kind of damage gives one clear DataError."""

import gzip

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

import chainrule as cr
from chainrule.data.idx import parse_idx
from chainrule.errors import DataError
from conftest import idx_bytes

IMAGES = idx_bytes(np.arange(24).reshape(2, 3, 4))


@given(arrays(np.uint8, array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=5)))
def test_what_is_written_is_read(array):
    np.testing.assert_array_equal(parse_idx(idx_bytes(array), "x"), array)


@given(st.binary(max_size=200))
def test_any_bytes_are_an_array_or_a_data_error(content):
    try:
        parse_idx(content, "x")
    except DataError as error:
        assert str(error).startswith("x ")


@given(st.integers(0, len(IMAGES) - 1))
def test_every_truncation_is_told(length):
    with pytest.raises(DataError):
        parse_idx(IMAGES[:length], "x")


@pytest.mark.parametrize("name", ["images", "images.gz"])
def test_plain_and_gzip(tmp_path, name):
    (tmp_path / name).write_bytes(gzip.compress(IMAGES, mtime=0) if name.endswith("gz") else IMAGES)
    assert cr.data.read_idx(tmp_path / name).shape == (2, 3, 4)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a", None, "there is no such file"),
        ("a.gz", IMAGES, "a.gz is not gzip data"),
        ("a.gz", gzip.compress(IMAGES, mtime=0)[:-9], "a.gz ends too early"),
        (
            "a",
            gzip.compress(IMAGES, mtime=0),
            "a is not an IDX file of bytes: it begins with 1f 8b 08 00, expected 00 00 08",
        ),
        ("a", b"", "it begins with nothing"),
        ("a", b"\0\0\x0d\3" + IMAGES[4:], "it begins with 00 00 0d 03"),
        ("a", idx_bytes(np.zeros(5)), r"has an array of 1 axes, expected images \(3 axes\)"),
        ("a", IMAGES[:10], "ends within its header"),
        ("a", IMAGES[:-1], r"should hold 24 bytes for its shape \(2, 3, 4\), got 23"),
        ("a", IMAGES + b"x", "got 25"),
        ("a", b"\0\0\x08\3" + b"\xff" * 12, r"for its shape \(4294967295, 4294967295, 4294967295\), got 0"),
    ],
)
def test_damage_is_told(tmp_path, name, content, message):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=message):
        cr.data.read_idx(tmp_path / name, axes=3)


def test_pairs_must_fit(tmp_path):
    (tmp_path / "x").write_bytes(IMAGES)
    (tmp_path / "y").write_bytes(idx_bytes(np.zeros(3)))
    with pytest.raises(DataError, match="has 2 images but .* 3 labels"):
        cr.data.read_pair(tmp_path / "x", tmp_path / "y")
    (tmp_path / "x").write_bytes(idx_bytes(np.zeros((0, 28, 28))))
    (tmp_path / "y").write_bytes(idx_bytes(np.zeros(0)))
    with pytest.raises(DataError, match="has no images: the data is empty"):
        cr.data.read_pair(tmp_path / "x", tmp_path / "y")


def test_folder(small, small_folder):
    train, test = cr.data.load(small_folder)
    np.testing.assert_array_equal(train.x, small[0].x)
    np.testing.assert_array_equal(test.y, small[1].y)


def test_unknown_source(tmp_path):
    with pytest.raises(DataError, match="no data 'mnits': use one of mnist, digits"):
        cr.data.load("mnits")
    with pytest.raises(DataError, match="has none of MNIST's four IDX files"):
        cr.data.load(tmp_path)
    (tmp_path / "file").write_text("x")
    with pytest.raises(DataError, match="is not a known kind of data"):
        cr.data.load(tmp_path / "file")
