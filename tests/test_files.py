"""Writing completely or not at all with any number of writers, on a real file system that refuses."""

import os
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from chainrule.errors import FileError
from chainrule.files import holding, make_folder, replacing
from chaos.saves import GOOD, count_saves, in_namespaces

WRITER = """
import sys, time
from chainrule.files import replacing
with replacing(sys.argv[1]) as file:
    file.write(b"half")
    file.flush()
    print("writing", flush=True)
    time.sleep(60)
"""


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def begin(code: str, *arguments: object) -> subprocess.Popen:
    """A process that has printed its first line."""
    process = subprocess.Popen([sys.executable, "-c", code, *map(str, arguments)], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline()
    return process


def kill(process: subprocess.Popen) -> None:
    process.kill()
    process.communicate()


def test_new_content_replaces_the_old_whole(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with replacing(path) as file:
        file.write(b"new")
        file.flush()
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"
    assert names(tmp_path) == ["file"]


def test_failure_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with pytest.raises(ZeroDivisionError), replacing(path) as file:
        file.write(b"half")
        raise ZeroDivisionError
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["file"]


def test_folders_that_cannot_be(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(FileError, match="cannot create the folder .*file: this is a file, not a folder"):
        make_folder(tmp_path / "file")
    with pytest.raises(FileError, match="cannot create the folder .*: a part of this path is a file"):
        make_folder(tmp_path / "file" / "below")
    with (
        pytest.raises(FileError, match="cannot write .*: there is no such file or folder"),
        replacing(tmp_path / "no" / "x"),
    ):
        pass


def test_what_is_no_file_stays(tmp_path):
    with pytest.raises(FileError, match="this is a folder, not a file"), replacing(tmp_path):
        pass
    with pytest.raises(FileError, match="cannot write /dev/null: this is a device"), replacing("/dev/null"):
        pass
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with pytest.raises(FileError, match="this is a link that points to itself"), replacing(tmp_path / "loop"):
        pass


def test_a_link_is_followed(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real/file")
    with replacing(tmp_path / "link") as file:
        file.write(b"new")
    assert (tmp_path / "real" / "file").read_bytes() == b"new"
    assert (tmp_path / "link").is_symlink()


@pytest.mark.skipif(os.name != "posix", reason="file size limits are of POSIX systems")
def test_disk_that_takes_no_more(tmp_path):
    """A real refusal by the system in the middle of writing: the process may write at most 1,000 bytes to a file."""
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
    assert names(tmp_path) == ["file"]


def test_dead_part_files_are_removed_and_a_living_writers_is_not(tmp_path):
    dead, living = begin(WRITER, tmp_path / "a"), begin(WRITER, tmp_path / "b")
    before = set(names(tmp_path))
    kill(dead)
    assert set(names(tmp_path)) == before
    assert len(before) == 2
    (tmp_path / ".chainrule-link.part").symlink_to("elsewhere")  # not a writer's file
    subprocess.run([sys.executable, "-c", MAKE_FOLDER, tmp_path], check=True)
    left = names(tmp_path)
    assert len(left) == 2
    assert set(left) - {".chainrule-link.part"} < before
    kill(living)
    subprocess.run([sys.executable, "-c", MAKE_FOLDER, tmp_path], check=True)
    assert names(tmp_path) == [".chainrule-link.part"]


MAKE_FOLDER = "import sys; from chainrule.files import make_folder; make_folder(sys.argv[1])"


def test_a_folder_is_held_by_one_and_let_go_of_by_the_killed(tmp_path):
    code = """
import sys, time
from chainrule.files import holding
with holding(sys.argv[1]):
    print("held", flush=True)
    time.sleep(60)
"""
    process = begin(code, tmp_path)
    with pytest.raises(FileError, match="another training is writing into .*: wait until it ends"), holding(tmp_path):
        pass
    kill(process)
    with holding(tmp_path):
        with pytest.raises(FileError, match="another training"), holding(tmp_path):  # threads exclude each other too
            pass
        assert names(tmp_path) == [".chainrule.lock"]
    assert names(tmp_path) == []


def test_a_folder_is_held_by_one_of_many(tmp_path):
    """Threads that ask repeatedly while the lock's file appears and disappears."""
    inside, most, held = [0], [0], [0]
    end = time.monotonic() + 1

    def ask() -> None:
        while time.monotonic() < end:
            try:
                with holding(tmp_path):
                    inside[0] += 1
                    most[0] = max(most[0], inside[0])
                    held[0] += 1
                    time.sleep(0.0001)
                    inside[0] -= 1
            except FileError:
                pass

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1]
    assert held[0] > 20
    assert names(tmp_path) == []


def test_eight_threads_save_into_one_file(tmp_path):
    assert count_saves(tmp_path, 200, threads=8) == {"saved": 200, GOOD: 200}
    assert names(tmp_path) == ["model.safetensors"]


def test_processes_of_one_number_in_two_namespaces(tmp_path):
    counts = in_namespaces(tmp_path, 60)
    if counts is None:
        pytest.skip("this system makes no namespaces for us")
    assert counts == {"saved": 60, GOOD: 60, "number 1": 2}
    assert names(tmp_path) == ["model.safetensors"]
