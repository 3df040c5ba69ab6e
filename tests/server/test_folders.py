"""Folders of pictures that a client sends as tar archives, hostile ones too."""

import io
import tarfile

import numpy as np
import pytest

from chainrule.data.images import encode_png
from chainrule.server.folders import is_archive, unpack
from chainrule.server.problems import ProblemError


def archive(files: dict[str, bytes], **changes) -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w", format=tarfile.USTAR_FORMAT) as made:
        for name, file in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(file)
            for what, value in changes.items():
                setattr(member, what, value)
            made.addfile(member, io.BytesIO(file))
    return content.getvalue()


def pictures(count: int = 12) -> dict[str, bytes]:
    rng = np.random.default_rng(0)
    return {
        f"all/{'ab'[at % 2]}/{at}.png": encode_png((100 * (at % 2) + rng.integers(0, 50, (20, 20))).astype(np.uint8))
        for at in range(count)
    }


def test_a_folder_is_learned(client):
    answer = client.post("/api/files", params={"name": "all"}, content=archive(pictures()))
    assert answer.status_code == 200, answer.text
    told = answer.json()["data"]
    assert (told["classes"], told["shape"], told["rows"] + told["held_out"]) == (["a", "b"], [1, 28, 28], 12)


@pytest.mark.parametrize(
    ("content", "cure"),
    [
        (archive({"1.png": b"x"}), "in a folder that is its class"),
        (archive({"../1.png": b"x"}), "in a folder that is its class"),
        (archive({"a\x07/1.png": b"x"}), "in a folder that is its class"),
        (archive(pictures(4))[:1600], "damaged"),
        (archive({"a/1.png": b"no picture", "b/1.png": b"no picture"}), "do not open"),
        (archive({f"a/{at}.png": b"x" for at in range(5001)}), "more than 5,000 pictures"),
        (archive({}), ""),
        (archive({"a/1.png": b""}, type=tarfile.SYMTYPE, linkname="/etc/passwd"), "no folders"),
    ],
)
def test_bad_archives_are_told(client, content, cure):
    answer = client.post("/api/files", params={"name": "all"}, content=content)
    assert answer.status_code in (413, 422)
    error = answer.json()["error"]
    assert cure in error
    assert "\n" not in error
    assert "/tmp" not in error


def test_nothing_is_written_outside(tmp_path):
    inner = tmp_path / "inner"
    inner.mkdir()
    root = unpack(archive({"/abs/a/1.png": b"x", "../../up/2.PNG": b"y"}), str(inner))
    assert sorted(path.relative_to(root).as_posix() for path in root.rglob("*.*")) == ["a/00000.png", "up/00001.png"]
    assert list(tmp_path.iterdir()) == [inner]
    with pytest.raises(ProblemError):
        unpack(archive({"..//1.png": b"x"}), str(tmp_path))
    assert not is_archive(b"a,b\n1,2\n")
