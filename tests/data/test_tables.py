"""Tables of numbers and categories: what is fitted on the training rows; how gaps and unknown values are handled."""

import numpy as np
import pytest

import chainrule as cr
from chainrule.data.table import tell_task
from chainrule.errors import DataError, OptionError

ROWS = 60


def write(path, rows, header):
    path.write_text("\n".join(",".join(map(str, row)) for row in [header, *rows]) + "\n")
    return path


@pytest.fixture
def homes(tmp_path):
    """area, town (a category), rooms (with gaps), price."""
    rows = [
        [40 + 3 * i, ("north", "south", "west")[i % 3], "?" if i % 10 == 9 else 1 + i % 4, 1000.5 * (40 + 3 * i)]
        for i in range(ROWS)
    ]
    return write(tmp_path / "homes.csv", rows, ["area", "town", "rooms", "price"])


def load(path, **choices):
    notes = []
    train, test = cr.data.load(path, tell=notes.append, **choices)
    return train, test, notes


def test_numbers_and_categories(homes):
    train, test, notes = load(homes)
    assert (len(train), len(test)) == (48, 12)
    assert train.classes == ()
    assert train.x.shape == (48, 5)  # area, three towns, rooms
    np.testing.assert_allclose(train.y[:, 0], 1000.5 * train.x[:, 0])
    assert (train.x[:, 1:4].sum(axis=1) == 1).all()
    preparation = train.preparation
    assert preparation.task == "regression"
    assert [(column.name, column.values) for column in preparation.columns] == [
        ("area", None), ("town", ("north", "south", "west")), ("rooms", None)
    ]  # fmt: skip
    assert any("rooms (6)" in note and "mean" in note for note in notes)


def test_means_are_those_of_the_training_rows_alone(homes):
    train, test, _ = load(homes)
    known = [row for row in range(len(train)) if train.x[row, 4] == int(train.x[row, 4])]
    mean = train.preparation.columns[2].mean
    assert mean == pytest.approx(train.x[known, 4].mean(), rel=1e-6)
    filled = np.concatenate([train.x[:, 4], test.x[:, 4]])
    assert (np.abs(filled - mean) < 1e-6).sum() == 6


def test_rows_with_gaps_are_dropped_where_that_is_asked(homes):
    train, test, notes = load(homes, missing="drop")
    assert len(train) + len(test) == ROWS - 6
    assert any("6 of 60 rows with missing values are left out" in note for note in notes)
    assert train.preparation.missing == "drop"


def test_rows_without_a_label_are_left_out(tmp_path):
    rows = [[i, "" if i % 6 == 5 else i % 2] for i in range(ROWS)]
    train, test, notes = load(write(tmp_path / "t.csv", rows, ["a", "label"]))
    assert len(train) + len(test) == 50
    assert any("10 rows without label are left out" in note for note in notes)


def test_a_networks_preparation_reads_other_files(homes, tmp_path):
    like = load(homes)[0].preparation
    other = write(
        tmp_path / "new.csv", [["x", 2, 50, "south"], ["y", "", 60, "east"]], ["who", "rooms", "area", "town"]
    )
    notes = []
    rows, ids = cr.data.load_new(other, like, (5,), tell=notes.append)
    np.testing.assert_allclose(rows.x, [[50, 0, 1, 0, 2], [60, 0, 0, 0, like.columns[2].mean]], rtol=1e-6)
    assert rows.y is None
    assert ids is None
    assert any("town (1)" in note and "not seen in training" in note for note in notes)
    with pytest.raises(DataError, match="has no column 'rooms', which the network reads"):
        cr.data.load_new(write(tmp_path / "bad.csv", [[1, "a"]] * 3, ["area", "town"]), like, (5,))
    with pytest.raises(DataError, match=r"column area: 'big' is not a number, as in training"):
        cr.data.load_new(write(tmp_path / "bad.csv", [["big", "a", 1]] * 3, ["area", "town", "rooms"]), like, (5,))
    # the same file gives the same test rows when evaluate reads it
    again = cr.data.load(homes, like=like, tell=lambda note: None)[1]
    np.testing.assert_array_equal(again.x, load(homes)[1].x)


def test_ids_are_told_apart_and_returned(tmp_path):
    rows = [[1000 + i, i % 5, i % 2] for i in range(ROWS)]
    path = write(tmp_path / "t.csv", rows, ["PassengerId", "a", "survived"])
    train, _, notes = load(path)
    assert [column.name for column in train.preparation.columns] == ["a"]
    assert any("PassengerId only numbers the rows" in note for note in notes)
    _, ids = cr.data.load_new(
        write(tmp_path / "new.csv", [[7, 1], [9, 2]], ["PassengerId", "a"]), train.preparation, (1,)
    )
    assert ids == ["7", "9"]


def test_what_nothing_is_learned_from_is_left_out(tmp_path):
    rows = [[f"name {i}", 7, "", i % 5, "ab"[i % 2]] for i in range(ROWS)]
    path = write(tmp_path / "t.csv", rows, ["name", "always", "empty", "a", "class"])
    train, _, notes = load(path)
    assert [column.name for column in train.preparation.columns] == ["a"]
    told = "; ".join(notes)
    for sentence in ("not categories: name (48 different texts)", "constant: always", "empty: empty"):
        assert sentence in told
    with pytest.raises(DataError, match="no columns to learn class from"):
        load(write(tmp_path / "t.csv", [[row[1], row[4]] for row in rows], ["always", "class"]))


@pytest.mark.parametrize(
    ("cells", "task"),
    [
        (["a", "b"] * 9, "classification"),
        (["0", "1", "2"] * 9, "classification"),
        (["5.0", "6.0"] * 9, "classification"),
        (["0.5", "1"] * 9, "regression"),
        ([str(i) for i in range(40)], "regression"),
        (["1", "2", "3"], "regression"),
    ],
    ids=str,
)
def test_the_task_is_told(cells, task):
    assert tell_task(cells) == task


def test_the_task_can_be_said(tmp_path):
    path = write(tmp_path / "t.csv", [[i, i % 4] for i in range(ROWS)], ["a", "quality"])
    assert load(path)[0].classes == ("0", "1", "2", "3")
    assert load(path, task="regression")[0].classes == ()
    with pytest.raises(OptionError, match="--task must be classification or regression"):
        load(path, task="clustering")
    path = write(tmp_path / "t.csv", [[i, "abc"[i % 3]] for i in range(ROWS)], ["a", "kind"])
    with pytest.raises(DataError, match="'a' is not a number: use --task classification"):
        load(path, task="regression")


def test_regression_learns_in_units_of_its_own(homes):
    train, test, _ = load(homes)
    units = cr.training.Units.of(train)
    inside = units.standardized(train)
    assert abs(float(inside.y.mean())) < 1e-6
    assert float(inside.y.std()) == pytest.approx(1)
    network = cr.Sequential(cr.Standardize.of(train.x), cr.Affine(8), cr.ReLU(), cr.Affine(1)).build((5,), seed=0)
    whole = units.restored(network)
    np.testing.assert_allclose(
        whole(test.x), network(test.x) * units.deviation[0] + units.mean[0], rtol=1e-4, atol=abs(units.mean[0]) * 1e-5
    )
    assert cr.evaluate(whole, train).r_squared == pytest.approx(
        1 - cr.evaluate(network, inside).loss, abs=1e-4
    )  # for standardized targets, the mean squared error is the unexplained share
    same = cr.Dataset(train.x, np.full((len(train), 1), 3.0), ())
    with pytest.raises(DataError, match="nothing to learn"):
        cr.training.Units.of(same)
