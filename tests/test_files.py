"""Writing whole or not at all, against a real file system that refuses."""

import os
import subprocess
import sys

import pytest

from chainrule.errors import FileError
from chainrule.files import make_folder, replacing


def test_new_content_replaces_the_old_whole(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with replacing(path) as file:
        file.write(b"new")
        file.flush()
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_failure_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with pytest.raises(ZeroDivisionError), replacing(path) as file:
        file.write(b"half")
        raise ZeroDivisionError
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_folders_that_cannot_be(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(FileError, match="cannot make the folder .*file: this is a file, not a folder"):
        make_folder(tmp_path / "file")
    with pytest.raises(FileError, match="cannot make the folder .*: a part of this path is a file"):
        make_folder(tmp_path / "file" / "below")
    with (
        pytest.raises(FileError, match="cannot write .*: there is no such file or folder"),
        replacing(tmp_path / "no" / "x"),
    ):
        pass


@pytest.mark.skipif(os.name != "posix", reason="file size limits are of POSIX systems")
def test_disk_that_takes_no_more(tmp_path):
    """A real refusal by the system in the middle of writing: a process may write 1,000 bytes to a file, no more."""
    path = tmp_path / "file"
    path.write_bytes(b"old")
    code = (
        "import resource, sys; from chainrule.files import replacing\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "with replacing(sys.argv[1]) as file: file.write(bytes(5000))"
    )
    result = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=False)
    assert "FileError: cannot write" in result.stderr
    assert "choose another folder" in result.stderr
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]
