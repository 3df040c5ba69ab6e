"""What a sweep tries: grids, draws, and one line for what is no plan."""

import numpy as np
import pytest

from chainrule.errors import OptionError
from chainrule.recipes import Recipe, read_recipe
from chainrule.sweeps import Plan, make_plan, read_plan
from chainrule.sweeps.plan import as_toml


def test_a_grid_is_every_combination(tmp_path):
    path = tmp_path / "rates.toml"
    path.write_text(
        'data="digits"\nrecipe="lesson"\n[fixed]\nepochs = 3\n[grid]\nlearning_rate = [0.1, 0.2]\nseed = [0, 1, 2]\n'
    )
    plan = read_plan(path)
    assert plan.data == "digits"
    assert [(r.learning_rate, r.seed) for r in plan.recipes] == [
        *((0.1, 0), (0.1, 1), (0.1, 2)),
        *((0.2, 0), (0.2, 1), (0.2, 2)),
    ]
    assert {recipe.epochs for recipe in plan.recipes} == {3}
    assert plan.varied[4] == {"learning_rate": 0.2, "seed": 1}
    assert Plan.of_dict(plan.as_dict()) == plan


def test_draws_are_the_seeds_and_lie_where_they_should():
    draw = {
        "trials": 200,
        "seed": 3,
        "learning_rate": {"low": 0.001, "high": 1.0, "log": True},
        "batch_size": {"low": 10, "high": 200},
        "optimizer": ["sgd", "adam"],
    }
    plan = make_plan(draw=draw)
    assert plan == make_plan(draw=draw)
    assert plan != make_plan(draw=draw | {"seed": 4})
    rates = np.array([recipe.rate for recipe in plan.recipes])
    assert ((rates >= 0.001) & (rates <= 1)).all()
    assert 0.35 < (rates < 0.0316).mean() < 0.65  # half of them below the middle of the logarithm
    sizes = {recipe.batch_size for recipe in plan.recipes}
    assert min(sizes) >= 10
    assert max(sizes) <= 200
    assert {recipe.optimizer for recipe in plan.recipes} == {"sgd", "adam"}
    both = make_plan(grid={"seed": [0, 1]}, draw=draw | {"trials": 2})
    assert [entry["seed"] for entry in both.varied] == [0, 1, 0, 1]


def test_halving_trains_all_a_little_and_the_best_to_the_end():
    plan = make_plan(grid={"seed": [0, 1, 2]}, halving={"epochs": [1, 3, 9]})
    assert (plan.rungs, plan.keep) == ((1, 3, 9), 1 / 3)
    assert {recipe.epochs for recipe in plan.recipes} == {9}
    assert Plan.of_dict(plan.as_dict()) == plan


@pytest.mark.parametrize(
    "recipe",
    [
        Recipe(),
        *(read_recipe(name) for name in ("cnn", "freehand", "char-gpt", "mlp-elastic")),
        Recipe(learning_rate=1e-7, augment={"rotation": 10.5, "cutout": 3}, average=0.999),
    ],
)
def test_a_recipe_is_written_as_it_is_read(recipe, tmp_path):
    path = tmp_path / "recipe.toml"
    path.write_text(as_toml(recipe))
    assert read_recipe(path) == recipe


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "nothing is varied"),
        ({"grid": {"rate": [1]}}, "unknown key 'rate' in grid"),
        ({"grid": {"seed": 3}}, "seed in grid must be a list of values, got 3"),
        ({"grid": {"seed": []}}, "seed in grid must be a list of values"),
        ({"grid": {"epochs": [0]}}, "--epochs must be 1 or more, got 0"),
        ({"grid": {"epochs": ["many"]}}, "epochs must be a whole number, got 'many'"),
        ({"grid": {"seed": list(range(101)), "epochs": list(range(1, 101))}}, "this sweep has 10,100 trials"),
        ({"grid": {"seed": [0]}, "draw": {"trials": 1, "seed": 0}, "fixed": {"sed": 1}}, "unknown key 'sed' in fixed"),
        ({"draw": {"learning_rate": [0.1]}}, "trials in draw must be a whole number from 1 to 10,000, got None"),
        ({"draw": {"trials": 1, "learning_rate": {"low": 1, "high": 1}}}, "needs low below high"),
        ({"draw": {"trials": 1, "learning_rate": {"low": 0, "high": 1, "log": True}}}, "above 0 with log"),
        ({"draw": {"trials": 1, "learning_rate": {"low": "a", "high": 1}}}, "needs numbers low and high"),
        ({"draw": {"trials": 1, "learning_rate": {"from": 0, "high": 1}}}, "unknown key 'from' of learning_rate"),
        ({"draw": {"trials": 1, "learning_rate": 0.1}}, "must be a list, or a table of low and high"),
        ({"draw": {"trials": 1, "epochs": [1]}, "grid": {"epochs": [1]}}, "epochs is in grid and in draw"),
        ({"grid": [1]}, "grid must be a table"),
        ({"grid": {"seed": [0]}, "halving": {"epochs": [3]}}, "must be two whole numbers or more"),
        ({"grid": {"seed": [0]}, "halving": {"epochs": [3, 3]}}, "must go up from 1 or more"),
        ({"grid": {"seed": [0]}, "halving": {"epochs": [1, 3], "keep": 1}}, "must be a share between 0 and 1"),
        ({"grid": {"epochs": [4]}, "halving": {"epochs": [1, 3]}}, "leave them out of grid, draw and search"),
        ({"grid": {"schedule": ["cosine"]}, "halving": {"epochs": [1, 3]}}, "need schedule = 'constant'"),
        ({"grid": {"seed": [0]}, "halving": {"epochs": [1, 3]}, "asha": {"epochs": [1, 3]}}, "leave one of them out"),
        ({"grid": {"seed": [0]}, "asha": {"epochs": [3, 1]}}, "epochs in asha must go up from 1"),
        ({"search": {"trials": 2}}, "nothing is searched: give a list"),
        ({"search": {"learning_rate": [0.1]}}, "trials in search must be a whole number"),
        (
            {"search": {"trials": 2, "at_once": 0, "learning_rate": [0.1]}},
            "at_once in search must be a whole number from",
        ),
        ({"search": {"trials": 2, "rate": [0.1]}}, "unknown key 'rate' in search"),
        ({"search": {"trials": 2, "learning_rate": {"low": -1, "high": 1}}}, "learning_rate"),
        ({"search": {"trials": 2, "learning_rate": 0.1}}, "in search must be a list, or a table of low and high"),
        ({"search": {"trials": 2, "schedule": ["cosine"]}, "asha": {"epochs": [1, 3]}}, "need schedule = 'constant'"),
        ({"search": {"trials": 2, "epochs": [1]}, "asha": {"epochs": [1, 3]}}, "leave them out of grid"),
        (
            {"search": {"trials": 2, "seed": 0, "average": [0.9]}, "halving": {"epochs": [1, 3]}},
            "search goes with asha alone",
        ),
        ({"search": {"trials": 2, "average": [0.9]}, "grid": {"seed": [0]}}, "search goes with asha alone"),
        ({"data": 3, "grid": {"seed": [0]}}, "data and recipe must be texts"),
    ],
)
def test_what_is_no_plan_is_told(arguments, message):
    with pytest.raises(OptionError, match=message):
        make_plan(**arguments)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("grid = ", "is not TOML"),
        ("[gird]\nseed = [1]", "unknown key 'gird': known are data, recipe, fixed, grid, draw"),
        ("a = " + "[" * 5000, "is not TOML"),
        ("#" * 100_001, "is longer than 100,000 bytes"),
    ],
)
def test_a_file_that_is_no_plan_is_told(text, message, tmp_path):
    path = tmp_path / "sweep.toml"
    path.write_text(text)
    with pytest.raises(OptionError, match=message):
        read_plan(path)
    with pytest.raises(OptionError, match="there is no such file"):
        read_plan(tmp_path / "none.toml")
