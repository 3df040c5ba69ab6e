"""CSV files as people have them: the same rows in many formats read the same; ambiguous files raise a question."""

import csv
import gzip
import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import chainrule as cr
from chainrule.data.pixel_rows import read_csv
from chainrule.data.sheet import read_sheet
from chainrule.errors import DataError, OptionError

WORDS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
NAMES = [f"pixel{i}" for i in range(784)]


def written(rows, header=None, *, delimiter=",", end="\n", quotes=False, encoding="utf-8", above="") -> bytes:
    text = io.StringIO(newline="")
    quoting = csv.QUOTE_ALL if quotes else csv.QUOTE_MINIMAL
    writer = csv.writer(text, delimiter=delimiter, lineterminator=end, quoting=quoting)
    writer.writerows(([header] if header else []) + rows)
    return (above + text.getvalue()).encode(encoding)


@pytest.fixture(scope="module")
def digits(small):
    """60 pictures and their labels; the first rows cover several of each class."""
    train, _ = small
    return train.x[:60].reshape(60, 784), train.y[:60]


def rows_of(digits, place=0, name=str):
    x, y = digits
    rows = x.tolist()
    for row, label in zip(rows, y.tolist(), strict=True):
        row.insert(place if place >= 0 else len(row), name(label))
    return rows


@pytest.mark.parametrize(
    "written_as",
    [
        {},
        {"delimiter": ";"},
        {"delimiter": "\t"},
        {"delimiter": "|"},
        {"delimiter": " "},
        {"end": "\r\n"},
        {"end": "\r"},
        {"quotes": True, "end": "\r\n"},
        {"encoding": "utf-8-sig"},
        {"encoding": "utf-16"},
        {"encoding": "utf-16-le"},
        {"encoding": "utf-16-be"},
        {"encoding": "utf-32"},
        {"above": "# made by hand\n\n# twice\n"},
        {"above": "\n\n"},
    ],
    ids=str,
)
@pytest.mark.parametrize("header", [True, False], ids=["header", "no header"])
def test_pictures_however_they_are_written(digits, tmp_path, written_as, header):
    content = written(rows_of(digits), ["label", *NAMES] if header else None, **written_as)
    path = tmp_path / "t.csv"
    path.write_bytes(content)
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(content))
    for file in (path, tmp_path / "t.csv.gz"):
        data = read_csv(file)
        np.testing.assert_array_equal(data.x.reshape(60, 784), digits[0])
        np.testing.assert_array_equal(np.array(data.classes)[data.y], digits[1].astype(str))
        assert data.x.dtype == np.uint8


@pytest.mark.parametrize(
    ("place", "header"),
    [
        (-1, [*NAMES, "label"]),
        (-1, None),
        (300, [*NAMES[:300], "Digit", *NAMES[300:]]),
        (0, ["5", *map(str, range(784))]),
        (0, None),
    ],
    ids=["last", "last without header", "within", "pandas numbers the columns", "first"],
)
def test_the_label_is_found(digits, tmp_path, place, header):
    if header and header[0] == "5":
        header[0] = "class"
    (tmp_path / "t.csv").write_bytes(written(rows_of(digits, place), header))
    data = read_csv(tmp_path / "t.csv")
    np.testing.assert_array_equal(data.x.reshape(60, 784), digits[0])
    np.testing.assert_array_equal(data.y, digits[1])


@pytest.mark.parametrize(
    ("name", "classes"),
    [
        (WORDS.__getitem__, sorted(WORDS)),
        (lambda label: f"{label}.0", [str(i) for i in range(10)]),
        (lambda label: str(label - 5), ["-1", "-2", "-3", "-4", "-5", "0", "1", "2", "3", "4"]),
        (lambda label: str(100 * label + 100), [str(100 * i + 100) for i in range(10)]),
        (lambda label: f" {label} ", [str(i) for i in range(10)]),
    ],
    ids=["words", "floats", "negative", "hundreds", "spaces"],
)
def test_labels_of_any_kind(digits, tmp_path, name, classes):
    (tmp_path / "t.csv").write_bytes(written(rows_of(digits, 0, name), ["label", *NAMES]))
    data = read_csv(tmp_path / "t.csv")
    assert sorted(data.classes) == sorted(classes)
    told = [data.classes[label] for label in data.y]
    assert [float(n) if n not in WORDS else n for n in told] == [
        float(name(label)) if name(label) not in WORDS else name(label) for label in digits[1].tolist()
    ]
    np.testing.assert_array_equal(data.x.reshape(60, 784), digits[0])


def test_an_index_column_is_left_out(digits, tmp_path):
    for heading in ("", "Unnamed: 0", "id", "ImageId"):
        rows = [[index, *row] for index, row in enumerate(rows_of(digits))]
        (tmp_path / "t.csv").write_bytes(written(rows, [heading, "label", *NAMES]))
        data = read_csv(tmp_path / "t.csv")
        np.testing.assert_array_equal(data.x.reshape(60, 784), digits[0])
        np.testing.assert_array_equal(data.y, digits[1])


def test_pixels_from_0_to_1(digits, tmp_path):
    rows = [[row[0], *(round(pixel / 255, 6) for pixel in row[1:])] for row in rows_of(digits)]
    (tmp_path / "t.csv").write_bytes(written(rows, ["label", *NAMES]))
    notes = []
    train, test = cr.data.load(tmp_path / "t.csv", tell=notes.append)
    assert train.x.dtype == np.uint8
    assert sorted(np.concatenate([train.x, test.x]).reshape(60, 784).tolist()) == sorted(digits[0].tolist())
    assert [note for note in notes if "from 0 to 1" in note] == notes


def test_a_file_without_labels_is_pictures_to_predict(digits, tmp_path):
    (tmp_path / "t.csv").write_bytes(written(digits[0].tolist(), NAMES))
    data = read_csv(tmp_path / "t.csv")
    assert data.y is None
    with pytest.raises(DataError, match="no labels to learn from"):
        cr.data.load(tmp_path / "t.csv")


def test_what_cannot_be_told_is_asked(tmp_path):
    path = tmp_path / "t.csv"
    path.write_bytes(written([[i % 3, i * 0.5, "ab"[i % 2]] for i in range(30)], ["a", "b", "c"]))
    cr.data.load(path, tell=lambda note: None)  # one column of words, at the end
    path.write_bytes(written([[i % 3, i * 0.5, i % 2] for i in range(30)], ["a", "b", "c"]))
    with pytest.raises(DataError, match=r"is the label: pass --label-column a or --label-column c"):
        cr.data.load(path)
    for wanted, classes in (("a", 3), ("c", 2), ("first", 3), ("last", 2)):
        train, _ = cr.data.load(path, label_column=wanted, tell=lambda note: None)
        assert len(train.classes) == classes
    with pytest.raises(OptionError, match=r"no column 'd' for --label-column: its columns are a, b, c"):
        cr.data.load(path, label_column="d")
    path.write_bytes(written([[i % 3, i * 0.5, i % 2] for i in range(30)], ["class", "b", "target"]))
    with pytest.raises(DataError, match="cannot tell which column"):
        cr.data.load(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\x00\x01\x02\x00\x03" * 50, "it contains zero bytes"),
        (b"a,b\n1,2\n3,4,5\n", "line 3: 3 cells, expected 2 as in the rows before"),
        (b"# only\n# comments\n", "no rows"),
        (b"a,b,price\n" + b"1,2,3\n" * 5, "has 5 rows to learn from: expected 10"),
        (b"a,price\n" + b"x,1e999\n" * 12, "has no columns to learn price from"),
        (b"a,price\n" + b"".join(b"%d,%de300\n" % (i, i + 1) for i in range(30)), "too large for float32"),
        ("a,b\n".encode("utf-16") + b"\n", "is not utf-16 text"),
    ],
)
def test_broken_files_are_told(tmp_path, content, message):
    (tmp_path / "t.csv").write_bytes(content)
    with pytest.raises(DataError, match=message):
        cr.data.load(tmp_path / "t.csv", tell=lambda note: None)


def test_chinese_and_western_files(tmp_path):
    rows = [[i, i % 7, "好坏"[i % 2]] for i in range(40)]
    for encoding in ("utf-8", "gb18030", "utf-16"):
        (tmp_path / "t.csv").write_bytes(written(rows, ["面积", "房间", "类别"], encoding=encoding))
        notes = []
        train, _ = cr.data.load(tmp_path / "t.csv", tell=notes.append)
        assert set(train.classes) == {"好", "坏"}
        assert [column.name for column in train.preparation.columns] == ["面积", "房间"]
        assert any("GB18030" in note for note in notes) == (encoding == "gb18030")


def test_decimal_commas(tmp_path):
    rows = [[f"{i},5", "1,0", i % 2] for i in range(20)]
    (tmp_path / "t.csv").write_bytes(written(rows, ["a", "b", "label"], delimiter=";"))
    notes = []
    train, test = cr.data.load(tmp_path / "t.csv", tell=notes.append)
    assert sorted(np.concatenate([train.x, test.x])[:, 0].tolist()) == [i + 0.5 for i in range(20)]
    assert any("decimal comma" in note for note in notes)
    assert any("constant: b" in note for note in notes)


text_cell = st.text(st.characters(codec="utf-8", exclude_characters="\r\n\0"), max_size=6)


@given(st.lists(st.lists(text_cell, min_size=3, max_size=3), min_size=1, max_size=8))
def test_cells_come_back(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("cells") / "t.csv"
    path.write_bytes(written([["x1", "y,1", 'z"1'], *rows], ["first name", "second", "third"], quotes=True))
    sheet = read_sheet(path)
    expected = [[cell.strip() for cell in row] for row in [["x1", "y,1", 'z"1'], *rows]]
    if sheet.names is None:  # if every row is all words, nothing distinguishes the header
        expected = [["first name", "second", "third"], *expected]
    else:
        assert sheet.names == ("first name", "second", "third")
    assert sheet.rows() == expected


@pytest.mark.parametrize(
    ("header", "row", "label"),
    [
        (["kind", "a", "b"], lambda i: ["xyz"[i % 3], i, i * 0.5], "kind"),
        (["day", "a", "b"], lambda i: [f"day {i}", i, i * 0.5], "b"),
        (["a", "town", "b"], lambda i: [i, "xyz"[i % 3], i * 0.5], "b"),
        (["a", "b", "grade"], lambda i: [i, i * 0.5, i % 4], "grade"),
        (["x", "y", "z", "price"], lambda i: [i, i % 3, i % 5, i * 0.5], "price"),
        (["year", "month", "passengers"], lambda i: [1950 + i // 12, f"m{i % 12}", 3 * i], None),
        (["who", "what", "signal"], lambda i: ["ab"[i % 2], "cd"[i % 2], i * 0.5], None),
        (None, lambda i: [i % 3 + 1, i * 0.5, 13.5 + i], "column 1"),
        (None, lambda i: [i * 0.5, 13.5 + i, i % 2], "column 3"),
        (None, lambda i: [i % 2, 13.5 + i, i % 2], None),
    ],
)
def test_the_label_of_a_table_is_told_or_asked_for(tmp_path, header, row, label):
    (tmp_path / "t.csv").write_bytes(written([row(i) for i in range(60)], header))
    if label is None:
        with pytest.raises(DataError, match="is the label: pass --label-column"):
            cr.data.load(tmp_path / "t.csv")
    else:
        train, _ = cr.data.load(tmp_path / "t.csv", tell=lambda note: None)
        assert train.preparation.label == label


def test_labels_that_are_all_different_are_no_classes(tmp_path):
    (tmp_path / "t.csv").write_bytes(written([[i, f"name {i}"] for i in range(60)], ["a", "b"]))
    with pytest.raises(DataError, match="60 different labels in 60 rows, too many for classes"):
        cr.data.load(tmp_path / "t.csv")
