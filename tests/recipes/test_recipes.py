"""Recipes: the bundled ones are complete, and errors in others are explained."""

from dataclasses import fields

import numpy as np
import pytest

import chainrule as cr
from chainrule.data import Augmented, Bytes, Text, TextPreparation
from chainrule.errors import OptionError
from chainrule.recipes import NAMES, Recipe, read_recipe


def test_the_recipes_in_the_package():
    networks = {"lesson", "mlp-elastic", "cnn", "cnn-fast", "freehand", "reader", "hands", "table"}
    assert networks | {"char-gpt", "char-lstm"} == set(NAMES)
    text = Text(np.zeros(99, np.uint8), TextPreparation(Bytes(), 16))
    for name in NAMES:
        recipe = read_recipe(name)
        data, outputs = (text, (16, 256)) if recipe.writes_text else (cr.Dataset(*small_data()), (10,))
        network = recipe.network(data)
        assert network.output_shape == outputs
        assert network.preparation == (text.preparation if recipe.writes_text else None)
        assert isinstance(recipe.loss(network), cr.SequenceCrossEntropy) == recipe.writes_text
        with pytest.raises(OptionError, match="does not read text|this data is not text"):
            recipe.network(cr.Dataset(*small_data()) if recipe.writes_text else text)


def test_the_small_gpt_is_trained_as_nanogpt_trains_on_a_cpu():
    recipe = read_recipe("char-gpt")
    assert recipe.steps(6000) == 2000
    assert (recipe.batch_size, recipe.optimizer_name, recipe.rate, recipe.warmup) == (12, "adamw", 0.001, 100)


def small_data():
    train, _ = cr.data.mnist()
    return train.x[:20], train.y[:20], "0123456789"


def test_the_lesson_is_what_is_done_where_nothing_is_said():
    lesson = read_recipe("lesson")
    bare = Recipe()
    assert (lesson.optimizer_name, lesson.rate) == (bare.optimizer_name, bare.rate)
    assert lesson.changed(optimizer=None, learning_rate=None) == bare


def test_every_key_can_be_given(tmp_path):
    path = tmp_path / "own.toml"
    path.write_text(
        'model = "lenet"\nepochs = 3\nbatch_size = 50\naccumulate = 2\noptimizer = "adamw"\nlearning_rate = 0.002\n'
        'weight_decay = 1\nschedule = "cosine"\nwarmup = 5\nclip_norm = 1.5\nlabel_smoothing = 0.1\naverage = 0.99\n'
        "mixup = 0.2\nstyles = 0.3\nstrangers = 0.1\nvalidation = 0.1\npatience = 3\nseed = 4\n"
        "[augment]\nrotation = 10\ncutout = 4\n"
    )
    recipe = read_recipe(path)
    assert all(getattr(recipe, entry.name) != entry.default for entry in fields(Recipe))
    net = recipe.network(cr.Dataset(*small_data()))
    t = recipe.trainer(net, samples=1000)
    assert repr(t.optimizer.learning_rate) == "Warmup(Cosine(0.002, 55), 5)"
    assert (t.clip_norm, t.accumulate, t.average.decay, t.seed) == (1.5, 2, 0.99, 4)
    assert (t.optimizer.weight_decay, t.loss.label_smoothing) == (1, 0.1)
    shown = recipe.shown(cr.Dataset(*small_data()))
    assert isinstance(shown, Augmented)
    assert (shown.mixup, shown.augment.rotation, shown.augment.cutout) == (0.2, 10, 4)


def test_mixed_pictures_have_mixed_labels():
    data = Augmented(cr.Dataset(*small_data()), mixup=1.0)
    ((x, shares),) = data.batches(20, np.random.default_rng(0))
    assert x.dtype == np.float32
    assert shares.shape == (20, 10)
    np.testing.assert_allclose(shares.sum(axis=1), 1, rtol=1e-6)
    assert ((shares > 0).sum(axis=1) == 2).sum() > 5


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("epoch = 3", r"unknown key 'epoch' in the recipe .*: did you mean 'epochs'\?"),
        ("zzz = 3", "unknown key 'zzz' in the recipe .*: known are model, epochs, batch_size"),
        ("epochs = 2.5", "in the recipe .*: epochs must be a whole number, got 2.5"),
        ("epochs = true", "epochs must be a whole number, got True"),
        ('learning_rate = "fast"', "learning_rate must be a number, got 'fast'"),
        ("model = 3", "model must be text, got 3"),
        ("[model]\na = 1", "model must be text, got a table"),
        ("augment = 3", "augment must be a table, got 3"),
        ("[augment]\nrotate = 3", r"unknown key 'rotate' in augment: did you mean 'rotation'\?"),
        ('[augment]\nrotation = "much"', "augment.rotation must be a number, got 'much'"),
        ("[augment]\ncutout = 2.5", "augment.cutout must be a whole number, got 2.5"),
        ("[augment]\nscale = 2", "scale must be from 0 up to"),
        ("epochs = 0", "--epochs must be 1 or more, got 0"),
        ("seed = -1", "--seed must be 0 or more, got -1"),
        ("mixup = nan", "--mixup must be 0 or more, got nan"),
        ("learning_rate = 0", "learning_rate must be a number above 0, got 0"),
        ("learning_rate = inf", "learning_rate must be a number above 0, got inf"),
        ("strangers = 2", "strangers must be a fraction from 0 to 1, got 2"),
        ("weight_decay = -1", "weight_decay must be 0 or above, got -1"),
        ("label_smoothing = 1", "label_smoothing must be from 0 up to"),
        ("average = 1", "decay must be from 0 up to"),
        ("validation = 1", "--validation must be from 0 up to"),
        ("patience = 2", "--patience needs validation data"),
        ('model = "lenett"', "no model 'lenett': use one of two-layer"),
        ('optimizer = "adm"', "no optimizer 'adm': use one of sgd"),
        ('schedule = "fall"', "no schedule 'fall': use one of constant"),
        ("epochs = ", "is not TOML: "),
    ],
)
def test_what_is_wrong_is_named(tmp_path, text, told):
    path = tmp_path / "own.toml"
    path.write_text(text)
    with pytest.raises(OptionError, match=told):
        read_recipe(path)


def test_files_that_are_no_recipes(tmp_path):
    with pytest.raises(OptionError, match="no recipe 'fast': use one of char-gpt, char-lstm, cnn, cnn-fast, freehand"):
        read_recipe("fast")
    with pytest.raises(OptionError, match="cannot read the recipe .*: there is no such file"):
        read_recipe(tmp_path / "none.toml")
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(OptionError, match="is not TOML"):
        read_recipe(tmp_path / "bytes.toml")


def test_another_optimizer_brings_its_own_rate():
    assert read_recipe("lesson").changed(optimizer="adam").rate == 0.001
    assert read_recipe("lesson").changed(optimizer="adam", learning_rate=0.01).rate == 0.01
    assert Recipe(model="lenet").optimizer_name == "adam"
