"""Labels and values of arrays as people write them, and preparations restored from saved files."""

import numpy as np
import pytest
from PIL import Image

import chainrule as cr
from chainrule.data.labels import read_labels
from chainrule.data.picture import of_pictures, usual_preparation
from chainrule.data.preparation import read_preparation
from chainrule.data.values import as_images
from chainrule.errors import DataError, ModelFileError
from chainrule.io.onnx_export import export_onnx
from chainrule.io.onnx_import import import_onnx
from chainrule.recipes import Recipe

DIGITS = tuple("0123456789")


@pytest.mark.parametrize(
    ("y", "indices", "classes"),
    [
        (np.array([0, 2, 1]), [0, 2, 1], ("0", "1", "2")),
        (np.array([3.0, 7.0, 3.0]), [3, 7, 3], tuple("01234567")),
        (np.array([-1, 1, 1]), [0, 1, 1], ("-1", "1")),
        (np.array([2019, 2021, 2019]), [0, 1, 0], ("2019", "2021")),
        (np.array(["cat", " ant", "cat"]), [1, 0, 1], ("ant", "cat")),
        (np.array([b"b", b"a"]), [1, 0], ("a", "b")),
        (np.array(["10", "9", "2.0"]), [2, 1, 0], ("2", "9", "10")),
        (np.array([True, False]), [1, 0], ("False", "True")),
        (np.array([[1], [0]]), [1, 0], ("0", "1")),
        (np.eye(3)[[2, 0, 1]], [2, 0, 1], ("0", "1", "2")),
    ],
    ids=str,
)
def test_classes(y, indices, classes):
    (labels,) = read_labels([y], "here")
    assert labels.y.tolist() == indices
    assert labels.classes == classes


def test_numbers_to_predict():
    (labels,) = read_labels([np.array([0.5, 2, 3])], "here")
    assert labels.y.shape == (3, 1)
    assert labels.classes == ()
    (labels,) = read_labels([np.array([[0.5, 2], [3, 1]])], "here")
    assert labels.y.shape == (2, 2)


def test_parts_share_classes():
    train, test = read_labels([np.array(["b", "c"]), np.array(["a", "c"])], "here")
    assert train.classes == test.classes == ("a", "b", "c")
    assert (train.y.tolist(), test.y.tolist()) == ([1, 2], [0, 2])


@pytest.mark.parametrize("y", [np.array([0, 10**6]), np.array([-(2**40), 1]), np.array([0.0, 1e9])])
def test_ids_are_no_classes(y):
    with pytest.raises(DataError, match="these are IDs"):
        read_labels([y], "here")


def test_labels_that_are_none():
    with pytest.raises(DataError, match=r"the labels contain nan at \[1\]"):
        read_labels([np.array([1, np.nan])], "here")
    with pytest.raises(DataError, match="reach from 0 to 3, but 2 classes are named"):
        read_labels([np.array([0, 3])], "here", ["a", "b"])


@pytest.fixture(scope="module")
def pictures(small):
    return small[0].x[:200, 0], small[0].y[:200]


@pytest.mark.parametrize(
    ("change", "note"),
    [
        (lambda x: x, None),
        (lambda x: x.astype(np.int64), None),
        (lambda x: x.astype(np.float64), None),
        (lambda x: (x / 255).astype(np.float32), "from 0 to 1"),
        (lambda x: x / 127.5 - 1, "from -1 to 1"),
        (lambda x: x.astype(np.uint16) * 257, "16 bits"),
        (lambda x: np.repeat(x[..., np.newaxis], 1, 3), None),
        (lambda x: np.concatenate([np.repeat(x[..., None], 3, 3), np.full_like(x, 255)[..., None]], 3), "transparency"),
        (lambda x: np.repeat(x[..., np.newaxis], 4, 3), "transparency"),
    ],
    ids=["bytes", "int64", "floats", "divided", "centered at 0", "16 bits", "one channel last", "RGBA", "RGBA equal"],
)
def test_pictures_in_any_values_and_axes(pictures, tmp_path, change, note):
    x, y = pictures
    np.savez(tmp_path / "t.npz", x=change(x), y=y)
    notes = []
    parts = cr.data.load(tmp_path / "t.npz", tell=notes.append)
    whole = np.concatenate([part.x for part in parts])
    assert whole.dtype == np.uint8
    assert whole.shape == (200, 1, 28, 28)
    assert sorted(whole.reshape(200, -1).tolist()) == sorted(x.reshape(200, -1).tolist())
    assert len(notes) == (note is not None)
    assert note is None or note in notes[0]


def test_values_that_are_no_pixels_are_standardized(tmp_path):
    rng = np.random.default_rng(0)
    x = rng.normal(1000, 300, (60, 5)).astype(np.float32)
    np.savez(tmp_path / "t.npz", x=x, y=(x[:, 0] > 1000).astype(int))
    train, _ = cr.data.load(tmp_path / "t.npz", tell=lambda note: None)
    network = Recipe().network(train)
    assert isinstance(network.layers[1], cr.Standardize)
    np.testing.assert_allclose(network.layers[1].mean, train.x.mean(axis=0, dtype=np.float64), rtol=1e-6)


def test_colour_last_and_alpha_alone():
    colour = np.random.default_rng(0).integers(0, 256, (3, 8, 6, 3), np.uint8)
    np.testing.assert_array_equal(as_images(colour, "here")[0], np.moveaxis(colour, 3, 1))
    mask = np.zeros((3, 8, 6, 4), np.uint8)
    mask[:, 2:4, 2:4, 3] = 255
    x, note = as_images(mask, "here")
    np.testing.assert_array_equal(x[:, 0], mask[..., 3])
    assert "only the last" in note
    for shape in ((3, 8, 6, 2, 1), (3, 0, 4)):
        with pytest.raises(DataError):
            as_images(np.zeros(shape, np.uint8), "here")


def test_what_is_told_of_training_pictures(small):
    x = small[0].x
    assert of_pictures(x).way == "center"
    fitted = of_pictures(255 - x)
    assert (fitted.way, fitted.ground) == ("fit", "light")
    assert of_pictures(np.concatenate([x, 255 - x])).ground is None
    assert of_pictures(np.repeat(x, 3, axis=1)).channels == 3
    assert of_pictures(np.repeat(x, 2, axis=1)) is None
    assert usual_preparation((1, 28, 28), DIGITS).way == "center"
    assert usual_preparation((784,), None).way == "center"
    assert usual_preparation((1, 28, 28), ("coat", "bag")).way == "fit"
    assert usual_preparation((13,), None) is None


def test_a_picture_on_the_other_ground_is_inverted(tmp_path):
    x = np.full((20, 1, 12, 10), 20, np.uint8)
    x[:, :, 4:8, 4:6] = np.arange(100, 120)[:, None, None, None]
    learned = of_pictures(x)
    assert learned.ground == "dark"
    Image.fromarray(x[3, 0]).save(tmp_path / "dark.png")
    Image.fromarray(255 - x[3, 0]).save(tmp_path / "light.png")
    steps = []
    np.testing.assert_array_equal(learned.picture(tmp_path / "dark.png"), x[3])
    np.testing.assert_array_equal(learned.picture(tmp_path / "light.png", lambda name, _: steps.append(name)), x[3])
    assert steps == ["fitted", "inverted"]


@pytest.mark.parametrize(
    "preparation",
    [
        cr.data.PicturePreparation(28, 28, 1, "center", None, 0, 1),
        cr.data.PicturePreparation(20, 30, 3, "fit", "light"),
        cr.data.TablePreparation(
            (cr.data.Column("a", None, 1.5), cr.data.Column("b", ("x", "y"))), "price", "regression", "drop", "id"
        ),
    ],
    ids=["centered", "colour", "table"],
)
def test_preparations_are_saved_with_the_network(preparation, tmp_path):
    shape = (3,) if isinstance(preparation, cr.data.TablePreparation) else preparation.shape
    network = cr.Sequential(cr.Flatten(), cr.Affine(2)).build(shape, seed=0)
    network.preparation = preparation
    cr.save(network, tmp_path / "m.safetensors")
    assert cr.load(tmp_path / "m.safetensors").preparation == preparation
    export_onnx(network, tmp_path / "m.onnx")
    assert import_onnx(tmp_path / "m.onnx").preparation == preparation
    assert read_preparation(preparation.describe()) == preparation


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "sound"},
        {"height": 0},
        {"height": 2.0},
        {"width": 2**40},
        {"channels": 2},
        {"way": "crop"},
        {"ground": "red"},
        {"black": float("nan")},
        {"white": -1.0},
        {"more": 1},
        {"height": 27},
    ],
    ids=str,
)
def test_damaged_preparations_are_refused(change, tmp_path):
    network = cr.Sequential(cr.Flatten(), cr.Affine(2)).build((1, 28, 28), seed=0)
    whole = cr.data.PicturePreparation(28, 28, 1, "center").describe()

    class Damaged:
        def describe(self):
            return whole | change

    network.preparation = Damaged()
    if "black" not in change:
        cr.save(network, tmp_path / "m.safetensors")
        with pytest.raises(ModelFileError, match="cannot load"):
            cr.load(tmp_path / "m.safetensors")
    if change != {"height": 27}:
        with pytest.raises(DataError):
            read_preparation(whole | change)


def test_shards_of_different_classes_agree(tmp_path):
    for index, labels in enumerate((["b", "c"], ["a", "c"])):
        np.save(tmp_path / f"x-{index}.npy", np.full((2, 1, 8, 8), index, np.uint8))
        np.save(tmp_path / f"y-{index}.npy", np.array(labels))
    shards = cr.data.read_shards(tmp_path)
    assert shards.classes == ("a", "b", "c")
    assert [shards.classes[label] for _, y in shards.batches(10) for label in y] == ["b", "c", "a", "c"]
    assert len(shards.of_classes(["c"])) == 2
