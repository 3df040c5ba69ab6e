"""Your own data: CSV, .npz, folders of pictures, memory-mapped arrays and shards; and the errors for broken files."""

import gzip
import shutil

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import chainrule as cr
from chainrule.data.archive import read_npz
from chainrule.data.folder import read_pictures
from chainrule.data.images import fit_picture
from chainrule.data.pixel_rows import read_csv
from chainrule.data.shards import Shards, read_shards
from chainrule.errors import DataError


def write_csv(path, x, y=None, header=True):
    rows = x.reshape(len(x), -1)
    cells = np.column_stack([y, rows]) if y is not None else rows
    names = [*(["label"] if y is not None else []), *(f"pixel{i}" for i in range(rows.shape[1]))]
    lines = [",".join(names)] if header else []
    text = "\n".join([*lines, *(",".join(map(str, row)) for row in cells.tolist())]) + "\n"
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


@given(st.integers(0, 2**32 - 1), st.integers(1, 6), st.integers(2, 5), st.booleans(), st.booleans(), st.booleans())
@settings(deadline=None, max_examples=40)
def test_csv_reads_what_was_written(tmp_path_factory, seed, count, side, labelled, header, packed):
    rng = np.random.default_rng(seed)
    x, y = rng.integers(0, 256, (count, 1, side, side), dtype=np.uint8), rng.integers(0, 10, count)
    path = tmp_path_factory.mktemp("csv") / ("own.csv.gz" if packed else "own.csv")
    data = read_csv(write_csv(path, x, y if labelled else None, header))
    np.testing.assert_array_equal(data.x, x)
    assert data.x.dtype == np.uint8
    if labelled:
        np.testing.assert_array_equal(data.y, y)
    else:
        assert data.y is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has no rows: the data is empty"),
        ("label,pixel0,pixel1,pixel2,pixel3\n", "has no rows: the data is empty"),
        ("label,pixel0,pixel1\n1,2,3\n", "has 2 pixels per row, which do not make a square picture"),
        ("label,p0,p1,p2,p3\n1,2,3,4,5\n1,2,3,4\n", ", line 3: 4 cells, expected 5 as in the rows before"),
        ("label,p0,p1,p2,p3\n1,2,3,4,5,6\n", ", line 2: 6 cells, expected 5 as in the header"),
        ("label,p0,p1,p2,p3\n1,2,3,4,5\n1,2,x,4,5\n", ", line 3, column 3: 'x' is not a whole number"),
        ("label,p0,p1,p2,p3\n1,2,3,4.5,5\n", ", line 2, column 4: '4.5' is not a whole number"),
        ("label,p0,p1,p2,p3\n1,2,3,256,5\n", ", line 2, column 4: 256 is outside 0 to 255"),
        ("label,p0,p1,p2,p3\n1,2,-3,25,5\n", ", line 2, column 3: -3 is outside 0 to 255"),
        ("label,p0,p1,p2,p3\n1,2,,25,5\n", ", line 2, column 3: '' is not a whole number"),
    ],
)
def test_broken_csv_is_told(tmp_path, text, message):
    path = tmp_path / "own.csv"
    path.write_text(text)
    with pytest.raises(DataError) as caught:
        read_csv(path)
    assert message in str(caught.value)
    assert str(path) in str(caught.value)


def test_kaggle_size_loads(tmp_path, small):
    data = read_csv(write_csv(tmp_path / "train.csv", small[0].x, small[0].y))
    assert data.x.shape == (600, 1, 28, 28)
    np.testing.assert_array_equal(data.y, small[0].y)


def test_npz_of_keras_and_of_one_part(tmp_path, small):
    train, test = small
    np.savez(tmp_path / "k.npz", x_train=train.x[:, 0], y_train=train.y, x_test=test.x[:, 0], y_test=test.y)
    for ours, theirs in zip(cr.data.load(tmp_path / "k.npz"), small, strict=True):
        np.testing.assert_array_equal(ours.x, theirs.x)
        np.testing.assert_array_equal(ours.y, theirs.y)
    np.savez(tmp_path / "one.npz", x=train.x, y=train.y[:, None])
    first, second = cr.data.load(tmp_path / "one.npz")
    assert (len(first), len(second)) == (480, 120)
    colour = np.zeros((4, 8, 8, 3), np.uint8)
    np.savez(tmp_path / "rgb.npz", images=colour, labels=np.arange(4))
    assert read_npz(tmp_path / "rgb.npz")[0].x.shape == (4, 3, 8, 8)


def test_broken_npz_is_told(tmp_path):
    (tmp_path / "a.npz").write_bytes(b"no archive")
    np.savez(tmp_path / "b.npz", pictures=np.zeros(3))
    np.savez(tmp_path / "c.npz", x=np.array([{}]), y=np.zeros(1))
    np.savez(tmp_path / "d.npz", x=np.zeros(4), y=np.zeros(4))
    for name, message in (
        ("a", "not an .npz archive"),
        ("b", "contains pictures: expected x_train, y_train, x_test, y_test, or x and y"),
        ("c", "without objects"),
        ("d", "contains data of shape (4,)"),
        ("e", "no data"),
    ):
        with pytest.raises(DataError) as caught:
            cr.data.load(tmp_path / f"{name}.npz")
        assert message in str(caught.value)


@pytest.fixture
def pictures(tmp_path, small):
    """Ten MNIST digits of the classes 2 and 10 (as folder names), in three sizes."""
    folder = tmp_path / "pictures"
    for name, size in (("2", (28, 28)), ("10", (60, 40))):
        (folder / name).mkdir(parents=True)
        for i in range(5):
            Image.fromarray(small[0].x[i, 0]).resize(size).save(folder / name / f"{i}.png")
    return folder


def test_a_folder_a_class(pictures, small):
    data = read_pictures(pictures)
    assert data.classes == ("2", "10")
    assert data.x.shape == (10, 1, 28, 28)
    np.testing.assert_array_equal(data.y, [0] * 5 + [1] * 5)
    np.testing.assert_array_equal(data.x[:5], small[0].x[:5])
    train, test = cr.data.load(pictures, seed=1)
    assert sorted(np.bincount(train.y)) == [4, 4]
    assert sorted(np.bincount(test.y)) == [1, 1]


def test_pictures_that_do_not_open_are_named_and_counted(pictures):
    (pictures / "2" / "bad.png").write_bytes(b"not a picture")
    (pictures / "2" / "notes.txt").write_text("no picture, and no claim to be one")
    with pytest.raises(DataError) as caught:
        read_pictures(pictures)
    assert "1 of 11 pictures" in str(caught.value)
    assert "bad.png" in str(caught.value)
    assert "--skip-bad" in str(caught.value)
    assert len(read_pictures(pictures, skip_bad=True)) == 10
    (pictures / "empty").mkdir()
    with pytest.raises(DataError, match=r"empty contains no pictures"):
        read_pictures(pictures, skip_bad=True)


def test_what_systems_leave_is_passed_over(pictures):
    for folder in (pictures, pictures / "2"):
        for name in (".DS_Store", "._1.png", "Thumbs.db", "desktop.ini"):
            (folder / name).write_bytes(b"no picture")
        for name in ("__MACOSX", ".ipynb_checkpoints", "@eaDir"):
            (folder / name).mkdir()
            (folder / name / "1.png").write_bytes(b"no picture")
    (pictures / "2" / "folder.png").mkdir()
    data = read_pictures(pictures)
    assert data.classes == ("2", "10")
    assert len(data) == 10


def test_the_only_folder_in_a_folder_is_read_instead(pictures, tmp_path):
    wrapped = tmp_path / "wrapped"
    (wrapped / "data").mkdir(parents=True)
    (wrapped / "__MACOSX").mkdir()
    pictures.rename(wrapped / "data" / "data")
    told = []
    train, _ = cr.data.load(wrapped, tell=told.append)
    assert train.classes == ("2", "10")
    assert told == [f"{wrapped} contains only a folder: reading {wrapped / 'data' / 'data'}"]
    (wrapped / "other").mkdir()
    with pytest.raises(DataError, match="data contains no pictures"):
        cr.data.load(wrapped, tell=told.append)


def test_a_single_class_is_no_wrapping(pictures):
    shutil.rmtree(pictures / "10")
    told = []
    assert cr.data.load(pictures, tell=told.append)[0].classes == ("2",)
    assert not told


def test_train_and_test_folders_share_classes(tmp_path, pictures):
    both = tmp_path / "both"
    both.mkdir()
    pictures.rename(both / "train")
    (both / "test" / "10").mkdir(parents=True)
    Image.new("L", (28, 28), 9).save(both / "test" / "10" / "a.png")
    train, test = cr.data.load(both)
    assert train.classes == test.classes == ("2", "10")
    assert test.y.tolist() == [1]
    (both / "test" / "7").mkdir()
    with pytest.raises(DataError, match="a class '7' that the training data does not have"):
        cr.data.load(both)


@given(st.integers(1, 70), st.integers(1, 70), st.integers(0, 255))
@settings(deadline=None, max_examples=60)
def test_a_picture_of_one_colour_fits_as_one_colour(height, width, level):
    fitted = fit_picture(np.full((height, width), level, np.uint8))
    assert fitted.shape == (28, 28)
    assert (fitted == level).all()


def test_arrays_are_read_as_they_are_needed(tmp_path, small):
    for part, data in zip(("train", "test"), small, strict=True):
        np.save(tmp_path / f"x_{part}.npy", data.x)
        np.save(tmp_path / f"y_{part}.npy", data.y)
    train, test = cr.data.load(tmp_path)
    assert isinstance(train.x.base if train.x.base is not None else train.x, np.memmap | np.ndarray)
    net = cr.models.two_layer().build((1, 28, 28), seed=0)
    trainer = cr.Trainer(net, loss=cr.SoftmaxCrossEntropy(), optimizer=cr.SGD(0.1))
    (epoch,) = trainer.fit(train, epochs=1, validation=test)
    other = cr.models.two_layer().build((1, 28, 28), seed=0)
    (same,) = cr.Trainer(other, loss=cr.SoftmaxCrossEntropy(), optimizer=cr.SGD(0.1)).fit(
        small[0], epochs=1, validation=small[1]
    )
    assert epoch.validation_loss == same.validation_loss
    batches = train.batches(100)
    next(batches)
    np.save(tmp_path / "x_train.npy", small[0].x[:300])
    with pytest.raises(DataError, match=r"x_train\.npy was changed while it was in use"):
        list(batches)
    np.save(tmp_path / "x_train.npy", small[0].x)
    (tmp_path / "y_test.npy").write_bytes(b"broken")
    with pytest.raises(DataError, match=r"y_test\.npy is not a \.npy file"):
        cr.data.load(tmp_path)


def write_shards(folder, data, lengths):
    folder.mkdir(parents=True)
    start = 0
    for index, length in enumerate(lengths):
        np.save(folder / f"x-{index}.npy", data.x[start : start + length])
        np.save(folder / f"y-{index}.npy", data.y[start : start + length])
        start += length
    return folder


def test_shards_train_without_loading_everything(tmp_path, small):
    train, test = small
    write_shards(tmp_path / "train", train, [250, 250, 100])
    write_shards(tmp_path / "test", test, [200])
    shards, last = cr.data.load(tmp_path)
    assert isinstance(shards, Shards)
    assert (len(shards), len(last), shards.sample_shape) == (600, 200, (1, 28, 28))
    batches = list(shards.batches(100))
    np.testing.assert_array_equal(np.concatenate([x for x, _ in batches]), train.x)
    shuffled = list(shards.batches(64, np.random.default_rng(0)))
    assert [len(x) for x, _ in shuffled] == [64] * 9 + [24]
    seen = np.concatenate([x for x, _ in shuffled])
    assert sorted(map(bytes, seen)) == sorted(map(bytes, train.x))
    rest = list(shards.batches(64, np.random.default_rng(0), start=4))
    for (x, y), (again, labels) in zip(shuffled[4:], rest, strict=True):
        np.testing.assert_array_equal(x, again)
        np.testing.assert_array_equal(y, labels)
    net = cr.models.two_layer().build((1, 28, 28), seed=0)
    trainer = cr.Trainer(net, loss=cr.SoftmaxCrossEntropy(), optimizer=cr.SGD(0.1))
    *_, epoch = trainer.fit(shards, epochs=5, validation=last)
    assert epoch.validation_accuracy > 0.5


def test_shards_that_differ_or_are_missing(tmp_path, small):
    data = small[0]
    with pytest.raises(DataError, match="there are no shards"):
        Shards([])
    with pytest.raises(DataError, match="the shards differ"):
        Shards([data, cr.Dataset(data.x[:, 0], data.y)])
    write_shards(tmp_path / "some", data, [100, 100])
    (tmp_path / "some" / "y-1.npy").unlink()
    with pytest.raises(DataError, match=r"y-1\.npy: there is no such file"):
        read_shards(tmp_path / "some")
    with pytest.raises(DataError, match="contains shards: put those to train on into"):
        cr.data.load(tmp_path / "some")


@given(st.integers(0, 2**32 - 1), st.lists(st.integers(1, 30), min_size=1, max_size=6), st.floats(0.05, 0.95))
@settings(deadline=None)
def test_a_split_takes_the_same_share_of_each_class(seed, counts, fraction):
    y = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(counts)), counts))
    data = cr.Dataset(np.arange(len(y))[:, None], y)
    if not 0 < round(fraction * len(y)) < len(y):
        return
    first, second = data.split(fraction, seed)
    assert sorted([*first.x[:, 0], *second.x[:, 0]]) == list(range(len(y)))
    for label, count in enumerate(counts):
        assert abs((first.y == label).sum() - fraction * count) <= 1
    again = data.split(fraction, seed)
    np.testing.assert_array_equal(first.x, again[0].x)


def test_data_that_is_nothing_known(tmp_path):
    (tmp_path / "own.xls").write_text("")
    for source, message in (
        ("nothing", "no data 'nothing': use one of mnist, digits, shakespeare, hongloumeng, fashion-mnist"),
        (tmp_path / "own.xls", "is not a known kind of data"),
        (tmp_path, "has none of MNIST's four IDX files"),
    ):
        with pytest.raises(DataError) as caught:
            cr.data.load(source)
        assert message in str(caught.value)
    write_csv(tmp_path / "bare.csv", np.zeros((3, 4), np.uint8))
    with pytest.raises(DataError, match="has no labels to learn from"):
        cr.data.load(tmp_path / "bare.csv")


def test_an_archive_may_name_its_classes(tmp_path):
    x, y = np.zeros((4, 5, 5), np.uint8), np.array([0, 1, 0, 2])
    np.savez(tmp_path / "named.npz", x=x, y=y, classes=np.array(["cat", "dog", "none"]))
    train, test = read_npz(tmp_path / "named.npz")
    assert train.classes == ("cat", "dog", "none")
    assert test is None
