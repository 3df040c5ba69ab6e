"""Augmentation: what each option does; the seed decides; training with it continues and resumes correctly."""

import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

import chainrule as cr
from chainrule.data import USUAL, Augment, Augmented, mixup
from chainrule.errors import DataError, OptionError


@pytest.fixture
def digits(mnist):
    return mnist[0].x[:50]


def rng(seed=0):
    return np.random.default_rng(seed)


def centre(x):
    """Return the centre of mass (down, across) of each picture."""
    mass = x[:, 0].astype(float)
    total = mass.sum(axis=(1, 2))
    moments = [(mass * along).sum(axis=(1, 2)) for along in (np.arange(28)[:, None], np.arange(28))]
    return np.stack(moments, axis=1) / total[:, None]


def test_nothing_asked_is_nothing_done(digits):
    np.testing.assert_array_equal(Augment()(digits, rng()), digits)


def test_the_pictures_passed_in_stay_as_they_are(digits):
    before = digits.copy()
    y = Augment(rotation=20, noise=0.1, cutout=8, contrast=0.5)(digits, rng())
    np.testing.assert_array_equal(digits, before)
    assert y.shape == digits.shape
    assert y.dtype == np.uint8
    assert (y != digits).any(axis=(1, 2, 3)).all()


def test_shift_moves_the_centre_by_as_much_at_most(digits):
    moved = centre(Augment(shift=2)(digits, rng())) - centre(digits)
    assert np.abs(moved).max() <= 2.3
    assert np.abs(moved).max() > 1.5
    assert (moved[:, 0] > 0).any()
    assert (moved[:, 0] < 0).any()


def test_rotation_turns_a_bar(digits):
    bar = np.zeros((200, 1, 28, 28), np.uint8)
    bar[:, 0, 4:24, 13:15] = 255
    y = Augment(rotation=30)(bar, rng()).astype(float)
    across = np.arange(28) - 13.5
    top = (y[:, 0, 5] * across).sum(1) / y[:, 0, 5].sum(1).clip(1)
    bottom = (y[:, 0, 22] * across).sum(1) / y[:, 0, 22].sum(1).clip(1)
    angles = np.rad2deg(np.arctan((bottom - top) / 17))
    assert 25 < np.abs(angles).max() <= 31
    assert abs(angles.mean()) < 4


def test_scale_and_thickness_change_the_amount_of_ink(digits):
    ink = digits.sum(axis=(1, 2, 3), dtype=float)
    for augment in (Augment(scale=0.2), Augment(thickness=1.0)):
        ratio = augment(digits, rng()).sum(axis=(1, 2, 3), dtype=float) / ink
        assert ratio.min() < 0.9
        assert ratio.max() > 1.1


def test_elastic_bends_smoothly():
    x = np.zeros((20, 1, 28, 28), np.uint8)
    x[:, 0, :, 14:] = 255  # a vertical edge
    y = Augment(elastic=1.5)(x, rng()).astype(float)
    edge = 28 - y[:, 0].sum(axis=2) / 255
    assert edge.std() > 0.3
    assert np.abs(np.diff(edge[:, 2:-2], axis=1)).max() < 1.5  # it moves less between rows than over the whole picture


def test_blur_contrast_noise_and_cutout(digits):
    sharp = np.abs(np.diff(digits.astype(int), axis=3)).mean()
    assert np.abs(np.diff(Augment(blur=1.0)(digits, rng()).astype(int), axis=3)).mean() < 0.9 * sharp
    dimmed = Augment(contrast=0.5)(digits, rng()).max(axis=(1, 2, 3))
    assert 120 < dimmed.min() < 200
    assert Augment(noise=0.2)(digits, rng())[:, :, :3].std() > 10
    white = np.full((50, 1, 28, 28), 255, np.uint8)
    holes = (Augment(cutout=6)(white, rng()) == 0).sum(axis=(1, 2, 3))
    assert holes.max() == 36
    assert holes.min() >= 9


def test_the_seed_decides_and_each_picture_by_itself(digits):
    np.testing.assert_array_equal(USUAL(digits, rng(3)), USUAL(digits, rng(3)))
    assert (USUAL(digits, rng(3)) != USUAL(digits, rng(4))).any()
    alike = USUAL(np.repeat(digits[:1], 8, axis=0), rng())
    assert len({picture.tobytes() for picture in alike}) == 8


def test_the_same_bytes_for_every_number_of_threads():
    code = (
        "import hashlib, numpy as np, chainrule as cr\n"
        "x = cr.data.mnist()[0].x[:100]\n"
        "print(hashlib.sha256(cr.data.USUAL(x, np.random.default_rng(0)).tobytes()).hexdigest())"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            env=os.environ | {"CHAINRULE_NUM_THREADS": threads},
        ).stdout
        for threads in ("1", "2", "3")
    }
    assert len(digests) == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rotation": -1}, "rotation must be 0 or more"),
        ({"scale": 1.0}, "scale must be from 0 up to"),
        ({"blur": 1.5}, "blur must be from 0 to 1"),
        ({"shift": float("nan")}, "shift must be 0 or more"),
        ({"spacing": 0.5}, "spacing must be 1 or more"),
        ({"cutout": -1}, "cutout 0 or more"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(OptionError, match=message):
        Augment(**options)


@pytest.mark.parametrize("x", [np.zeros((2, 28, 28), np.uint8), np.zeros((2, 1, 28, 28), np.float32)])
def test_other_data_is_refused(x):
    with pytest.raises(DataError, match="pictures to augment are"):
        USUAL(x, rng())


def trainer():
    net = cr.models.two_layer().build((1, 28, 28), seed=0)
    return cr.Trainer(net, loss=cr.SoftmaxCrossEntropy(), optimizer=cr.SGD(0.1), seed=7)


@pytest.mark.parametrize("ahead", [0, 2])
def test_training_on_augmented_data_is_the_same_again_and_resumes(small, tmp_path, ahead):
    data = Augmented(small[0], USUAL, ahead=ahead)
    whole, again, broken = trainer(), trainer(), trainer()
    list(whole.fit(data, epochs=2))
    list(again.fit(Augmented(small[0], USUAL, ahead=2 - ahead), epochs=2))
    assert whole.network.values.tobytes() == again.network.values.tobytes()
    plain = trainer()
    list(plain.fit(small[0], epochs=2))
    assert plain.network.values.tobytes() != whole.network.values.tobytes()
    steps = broken.steps(data)
    for _ in range(4):
        next(steps)
    steps.close()  # the worker ends together with it
    broken.save(tmp_path / "checkpoint.safetensors")
    resumed = trainer()
    resumed.resume(tmp_path / "checkpoint.safetensors")
    list(resumed.fit(data, epochs=2))
    assert resumed.network.values.tobytes() == whole.network.values.tobytes()


def test_evaluation_sees_pictures_as_they_are(small):
    data = Augmented(small[0], USUAL)
    assert (len(data), data.sample_shape, data.classes) == (600, (1, 28, 28), small[0].classes)
    np.testing.assert_array_equal(np.concatenate([x for x, _ in data.batches(100)]), small[0].x)


@pytest.mark.parametrize("ahead", [0, 2])
def test_an_error_in_the_background_arrives(small, ahead):
    data = Augmented(cr.Dataset(small[0].x[:, 0], small[0].y), USUAL, ahead=ahead)
    with pytest.raises(DataError, match="pictures to augment are"):
        list(data.batches(100, rng()))


def test_mixup_mixes_pictures_and_labels_alike(small):
    x, shares = small[0].x[:64].astype(np.float32), np.eye(10, dtype=np.float32)[small[0].y[:64]]
    mixed, labels = mixup(x, shares, rng(), 1.0)
    np.testing.assert_allclose(labels.sum(axis=1), 1, rtol=1e-6)
    assert 0 < (labels.max(axis=1) < 0.99).mean() <= 1
    np.testing.assert_allclose(mixed.mean(), x.mean(), rtol=0.05)
    with pytest.raises(OptionError, match="strength must be above 0"):
        mixup(x, shares, rng(), 0)


@pytest.mark.parametrize("options", [[], ["--augment", "--rows", "4"]])
def test_the_contact_sheet(chainrule, small_folder, tmp_path, options):
    result = chainrule("data", "show", small_folder, *options, "--output", tmp_path / "sheet.png")
    assert result.returncode == 0, result.stderr
    with Image.open(tmp_path / "sheet.png") as picture:
        assert picture.width > 500
        assert np.asarray(picture.convert("L")).std() > 20


def test_train_augments(chainrule, small_folder, tmp_path):
    for name, options in (("plain", []), ("augmented", ["--augment"])):
        result = chainrule("train", "--data", small_folder, "--epochs", 1, *options, "--output", tmp_path / name)
        assert result.returncode == 0, result.stderr
    models = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("plain", "augmented")]
    assert models[0] != models[1]
