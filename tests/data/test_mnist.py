"""The bundled MNIST: complete, verified, cached, and never damaged by its cache."""

import hashlib
import os

import numpy as np
import pytest

import chainrule as cr
from chainrule.data.mnist import DIGESTS, mnist_file


@pytest.fixture
def cache(tmp_path, monkeypatch):
    folder = tmp_path / "cache"
    monkeypatch.setenv("CHAINRULE_CACHE", str(folder))
    return folder


def test_all_70000_digits(mnist):
    train, test = mnist
    assert (train.x.shape, test.x.shape) == ((60000, 1, 28, 28), (10000, 1, 28, 28))
    assert train.x.dtype == train.y.dtype == test.x.dtype == test.y.dtype == np.uint8
    assert np.bincount(train.y).tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert np.bincount(test.y).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert train.classes == test.classes == tuple("0123456789")


@pytest.mark.parametrize("name", DIGESTS)
def test_files_are_the_originals(name):
    assert hashlib.sha256(mnist_file(name)).hexdigest() == DIGESTS[name]


def test_first_load_fills_the_cache_and_the_second_uses_it(cache):
    name = "t10k-labels-idx1-ubyte"
    content = mnist_file(name)
    assert (cache / "mnist" / name).read_bytes() == content
    stamp = (cache / "mnist" / name).stat().st_mtime_ns
    assert mnist_file(name) == content
    assert (cache / "mnist" / name).stat().st_mtime_ns == stamp
    assert [path.name for path in (cache / "mnist").iterdir()] == [name]  # no partial file is left


@pytest.mark.parametrize("damage", [b"", b"not the data", None])
def test_broken_cache_is_repaired(cache, damage):
    name = "t10k-labels-idx1-ubyte"
    content = mnist_file(name)
    path = cache / "mnist" / name
    path.write_bytes(content[:-1] + b"\xff" if damage is None else damage)
    assert mnist_file(name) == content
    assert path.read_bytes() == content


def test_cache_that_cannot_be_made(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("CHAINRULE_CACHE", str(tmp_path / "file"))
    assert len(mnist_file("t10k-labels-idx1-ubyte")) == 10008


def test_read_only_cache(cache):
    (cache / "mnist").mkdir(parents=True)
    (cache / "mnist" / "t10k-labels-idx1-ubyte").mkdir()  # nothing can be written under this name, whatever the user
    assert len(mnist_file("t10k-labels-idx1-ubyte")) == 10008


def test_cache_folder_follows_the_system(monkeypatch, tmp_path):
    monkeypatch.delenv("CHAINRULE_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    if os.name == "posix" and os.uname().sysname == "Linux":
        assert cr.data.cache_folder() == tmp_path / "chainrule"
