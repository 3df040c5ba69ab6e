"""`chainrule read`: reading photographs of numbers from the command line, both good and bad ones."""

import json

import numpy as np
import pytest
from PIL import Image

from pages import LEVELS, make_page


@pytest.fixture(scope="module")
def page(mnist):
    _, test = mnist
    return make_page(LEVELS["easy"], test.x[:, 0], test.y, np.random.default_rng(2))


@pytest.fixture
def photo(page, tmp_path):
    path = tmp_path / "page.png"
    Image.fromarray(page.picture).save(path)
    return path


def test_numbers_boxes_and_confidences_as_json(photo, page, chainrule):
    result = chainrule("read", photo, "--json")
    assert result.returncode == 0, result.stderr
    (record,) = json.loads(result.stdout)["images"]
    assert record["image"] == str(photo)
    texts = [number["text"] for number in record["numbers"]]
    assert sum(text in page.numbers for text in texts) >= 0.9 * len(page.numbers)
    for number in record["numbers"]:
        left, top, right, bottom = number["box"]
        assert 0 <= left < right <= 1000
        assert 0 <= top < bottom <= 1300
        assert number["confidence"] == min(digit["confidence"] for digit in number["digits"])
        assert number["sure"] <= (number["confidence"] >= 0.98)


def test_what_is_expected_is_compared_and_pictures_are_written(photo, page, chainrule, tmp_path):
    table = tmp_path / "there.csv"
    table.write_text("image,number\n" + "".join(f"page.png,{number}\n" for number in page.numbers))
    result = chainrule(
        "read", photo, "--expect", table, "--annotated", tmp_path / "seen.png", "--steps", tmp_path / "steps"
    )
    assert result.returncode == 0, result.stderr
    assert f"of {len(page.numbers)} numbers" in result.stdout
    assert "digits" in result.stdout
    assert np.asarray(Image.open(tmp_path / "seen.png")).shape == (1300, 1000, 3)
    assert (np.asarray(Image.open(tmp_path / "seen.png")) != page.picture).any()
    names = sorted(path.name for path in (tmp_path / "steps").iterdir())
    assert names == [
        "1-upright.png",
        "2-ink.png",
        "3-straight.png",
        "4-rules.png",
        "5-pieces.png",
        "6-digits.png",
        "7-read.png",
    ]
    wrong = chainrule("read", photo, "--expect", table, "--json")
    counts = json.loads(wrong.stdout)["comparison"]
    assert counts["numbers"] == len(page.numbers)
    assert counts["accuracy"] == counts["exact"] / counts["numbers"]


def test_several_pictures_go_into_folders(photo, chainrule, tmp_path):
    Image.new("L", (300, 200), 250).save(tmp_path / "blank.png")
    result = chainrule(
        "read", photo, tmp_path / "blank.png", "--annotated", tmp_path / "out", "--steps", tmp_path / "s"
    )
    assert result.returncode == 0, result.stderr
    assert f"{tmp_path / 'blank.png'}: no number found" in result.stderr
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["blank.png", "page.png"]
    assert (tmp_path / "s" / "page" / "7-read.png").exists()


def test_a_photograph_without_numbers_is_an_empty_answer(chainrule, tmp_path):
    Image.new("RGB", (1, 1), "white").save(tmp_path / "one.png")
    result = chainrule("read", tmp_path / "one.png")
    assert (result.returncode, result.stdout) == (0, "")
    assert "no number found" in result.stderr
    assert json.loads(chainrule("read", tmp_path / "one.png", "--json").stdout)["images"][0]["numbers"] == []


@pytest.mark.long
def test_every_kind_of_picture_is_read(page, chainrule, tmp_path):
    photo = Image.fromarray(page.picture)
    gray = photo.convert("L")
    photo.save(tmp_path / "a.jpg", quality=90)
    photo.convert("CMYK").save(tmp_path / "b.tiff")
    Image.fromarray(np.asarray(gray).astype(np.uint16) * 200).save(tmp_path / "c.png")
    clear = photo.convert("RGBA")
    clear.putalpha(Image.fromarray(255 - np.asarray(gray)))
    clear.save(tmp_path / "d.png")
    photo.save(tmp_path / "e.webp", save_all=True, append_images=[Image.new("RGB", photo.size, "red")], lossless=True)
    turned = photo.transpose(Image.Transpose.ROTATE_90)
    exif = turned.getexif()
    exif[0x0112] = 6
    turned.save(tmp_path / "f.jpg", exif=exif, quality=90)
    paths = sorted(tmp_path.iterdir())
    result = chainrule("read", *paths, "--json")
    assert result.returncode == 0, result.stderr
    for record in json.loads(result.stdout)["images"]:
        texts = [number["text"] for number in record["numbers"]]
        assert sum(text in page.numbers for text in texts) >= 0.85 * len(page.numbers), record["image"]


@pytest.mark.parametrize("kind", ["png", "jpg", "gif", "webp", "tiff", "bmp"])
def test_damaged_pictures(kind, photo, rejects, tmp_path):
    path = tmp_path / f"cut.{kind}"
    Image.open(photo).save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert "it is not a picture, or it is damaged: try a PNG or JPEG" in rejects("read", path)


@pytest.mark.parametrize("side", [10_000, 20_000])
def test_200_megapixels_are_refused_before_they_are_unpacked(side, rejects, tmp_path):
    Image.new("1", (side, 10_000), 1).save(tmp_path / "huge.png")
    message = rejects("read", tmp_path / "huge.png")
    assert "more than 50,000,000" in message
    assert message.endswith("make it smaller")


def test_bad_input_is_told(photo, rejects, tmp_path):
    assert "there is no such file" in rejects("read", tmp_path / "none.png")
    assert "--unsure-below must be from 0 to 1" in rejects("read", photo, "--unsure-below", 2)
    assert "no model 'nobody'" in rejects("read", photo, "--model", "nobody")
    (tmp_path / "wrong.csv").write_text("picture,value\npage.png,1\n")
    assert "needs the columns image,number" in rejects("read", photo, "--expect", tmp_path / "wrong.csv")
    (tmp_path / "other.csv").write_text("image,number\nother.png,1\n")
    assert "does not say what is on page.png" in rejects("read", photo, "--expect", tmp_path / "other.csv")
    (tmp_path / "binary.csv").write_bytes(b"\xff\xfe\x00")
    assert "it is not a CSV file in UTF-8" in rejects("read", photo, "--expect", tmp_path / "binary.csv")
    assert "there is no such file" in rejects("read", photo, "--expect", tmp_path / "none.csv")
    (tmp_path / "file").write_text("")
    assert "cannot make the folder" in rejects("read", photo, "--steps", tmp_path / "file" / "in")


def test_a_grid_is_written_as_a_table(photo, page, chainrule, tmp_path):
    out = tmp_path / "grid.csv"
    result = chainrule("read", photo, "--table", out)
    assert result.returncode == 0, result.stderr
    cells = out.read_text(encoding="utf-8").replace(",", " ").split()  # what is no table may have two numbers in a cell
    assert sum(cell in page.numbers for cell in cells) >= 0.8 * len(page.numbers)
    result = chainrule("read", photo, photo, "--table", out)
    assert result.returncode == 2
    assert "--table writes the numbers of one photograph, got 2" in result.stderr
