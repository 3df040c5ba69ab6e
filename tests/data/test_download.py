"""Downloads from a server that fails, truncates, stalls or sends wrong data."""

import hashlib
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

import chainrule as cr
from chainrule.data.download import download
from chainrule.data.idx import STEMS
from chainrule.data.remote import REMOTE, emnist
from chainrule.errors import DataError
from conftest import write_idx

CONTENT = np.random.default_rng(0).integers(0, 256, 300_000, dtype=np.uint8).tobytes()
DIGEST = hashlib.sha256(CONTENT).hexdigest()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        self.server.requests.append((self.path, self.headers.get("Range")))
        behaviour = self.path.split("/")[1]
        begin = int(self.headers["Range"].removeprefix("bytes=").removesuffix("-")) if self.headers["Range"] else 0
        number = sum(path == self.path for path, _ in self.server.requests)
        if behaviour == "missing":
            self.send_error(404)
            return
        if behaviour == "broken" or (behaviour == "flaky" and number == 1):
            self.send_error(503)
            return
        if begin >= len(CONTENT) and begin:
            self.send_error(416)
            return
        content = CONTENT if behaviour != "liar" else CONTENT[::-1]
        if behaviour == "no-ranges":
            begin = 0
        self.send_response(206 if begin else 200)
        self.send_header("Content-Length", str(len(content) - begin))
        self.end_headers()
        if behaviour in ("truncates", "stalls", "no-ranges") and number < 3:
            self.wfile.write(content[begin : begin + 100_000])
            self.wfile.flush()
            if behaviour == "stalls":
                self.server.released.wait(10)
            self.close_connection = True
            return
        if behaviour == "slow":
            for start in range(begin, len(content), 50_000):
                self.wfile.write(content[start : start + 50_000])
                time.sleep(0.1)
            return
        self.wfile.write(content[begin:])


@pytest.fixture
def server():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.requests, server.released = [], threading.Event()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.released.set()
    server.shutdown()
    server.server_close()
    thread.join()


def at(server, *behaviours):
    return [f"http://127.0.0.1:{server.server_port}/{behaviour}/file" for behaviour in behaviours]


def test_a_file_comes_whole_and_is_not_fetched_twice(server, tmp_path):
    seen = []
    for _ in range(2):
        path = download(at(server, "good"), tmp_path / "a" / "file", DIGEST, progress=lambda *now: seen.append(now))
        assert path.read_bytes() == CONTENT
    assert len(server.requests) == 1
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert [p.name for p in (tmp_path / "a").iterdir()] == ["file"]


@pytest.mark.parametrize("behaviour", ["truncates", "stalls"])
def test_what_broke_off_goes_on_where_it_stopped(server, tmp_path, behaviour):
    path = download(at(server, behaviour), tmp_path / "file", DIGEST, timeout=0.3)
    assert path.read_bytes() == CONTENT
    assert [range_ for _, range_ in server.requests] == [None, "bytes=100000-", "bytes=200000-"]


SEVERAL = """
import sys
from chainrule.data.download import download

download([sys.argv[1]], sys.argv[2], sys.argv[3], timeout=5)
"""


@pytest.mark.parametrize("behaviour", ["slow", "truncates"])
def test_of_several_processes_one_fetches_and_the_others_wait(server, tmp_path, behaviour):
    words = [sys.executable, "-c", SEVERAL, *at(server, behaviour), str(tmp_path / "file"), DIGEST]
    running = [subprocess.Popen(words, stderr=subprocess.PIPE, text=True) for _ in range(3)]
    for process in running:
        assert process.communicate(timeout=60)[1] == ""
        assert process.returncode == 0
    assert (tmp_path / "file").read_bytes() == CONTENT
    begun = [None, "bytes=100000-", "bytes=200000-"] if behaviour == "truncates" else [None]
    assert [range_ for _, range_ in server.requests] == begun
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_one_that_was_killed_lets_the_next_go_on(server, tmp_path):
    words = [sys.executable, "-c", SEVERAL, *at(server, "stalls"), str(tmp_path / "file"), DIGEST]
    process = subprocess.Popen(words)
    while not ((tmp_path / "file.part").exists() and (tmp_path / "file.part").stat().st_size == 100_000):
        time.sleep(0.02)
    process.kill()
    process.wait()
    assert download(at(server, "good"), tmp_path / "file", DIGEST).read_bytes() == CONTENT
    assert server.requests[-1] == ("/good/file", "bytes=100000-")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_server_without_ranges_begins_anew(server, tmp_path):
    assert download(at(server, "no-ranges"), tmp_path / "file", DIGEST).read_bytes() == CONTENT


def test_a_later_call_goes_on_from_an_earlier_one(server, tmp_path):
    (tmp_path / "file.part").write_bytes(CONTENT[:250_000])
    assert download(at(server, "good"), tmp_path / "file", DIGEST).read_bytes() == CONTENT
    assert server.requests == [("/good/file", "bytes=250000-")]
    (tmp_path / "other.part").write_bytes(CONTENT)  # already complete
    assert download(at(server, "good"), tmp_path / "other", DIGEST).read_bytes() == CONTENT


def test_the_next_mirror_is_asked(server, tmp_path):
    urls = at(server, "missing", "broken", "liar", "flaky")
    assert download(urls, tmp_path / "file", DIGEST).read_bytes() == CONTENT
    asked = [path.split("/")[1] for path, _ in server.requests]
    assert [asked.count(name) for name in ("missing", "broken", "liar", "flaky")] == [1, 3, 1, 2]


def test_when_none_has_it_each_is_told_and_nothing_is_put_there(server, tmp_path):
    urls = [*at(server, "missing", "broken", "liar"), "http://127.0.0.1:1/file"]
    (tmp_path / "file").write_bytes(b"an older file that is wrong")
    with pytest.raises(DataError) as caught:
        download(urls, tmp_path / "file", DIGEST, attempts=2)
    message = str(caught.value)
    for part in ("answered 404", "answered 503", "checksum differs", "no connection", "fetch the file another way"):
        assert part in message
    assert (tmp_path / "file").read_bytes() == b"an older file that is wrong"
    assert not (tmp_path / "file.part").exists()


def test_md5_is_known_by_its_length(server, tmp_path):
    assert download(at(server, "good"), tmp_path / "file", hashlib.md5(CONTENT).hexdigest()).read_bytes() == CONTENT


@pytest.mark.parametrize("name", ["fashion-mnist", "kmnist"])
def test_a_data_set_by_name(tmp_path, small, name, monkeypatch):
    """Four compressed files in a folder served by the standard library's server."""
    import gzip
    from functools import partial
    from http.server import SimpleHTTPRequestHandler

    source = write_idx(tmp_path / "source", *small)
    files = {}
    for stem in (*STEMS["train"], *STEMS["test"]):
        packed = gzip.compress((source / stem).read_bytes())
        (source / f"{stem}.gz").write_bytes(packed)
        files[f"{stem}.gz"] = hashlib.md5(packed).hexdigest()

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(source)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("CHAINRULE_CACHE", str(tmp_path / "cache"))
    entry = REMOTE[name]._replace(files=files, mirrors=(f"http://127.0.0.1:{server.server_port}/",))
    monkeypatch.setitem(REMOTE, name, entry)
    try:
        train, test = cr.data.load(name)
    finally:
        server.shutdown()
        server.server_close()
    np.testing.assert_array_equal(train.x, small[0].x)
    assert test.classes == entry.classes
    train, _ = cr.data.load(name)  # from the cache, because the server is gone
    assert len(train) == 600


def test_emnist_is_turned_upright_and_letters_count_from_zero(tmp_path, small):
    import gzip
    import zipfile

    from conftest import idx_bytes

    x, y = small[0].x[:20, 0], small[0].y[:20] % 5 + 1
    path = tmp_path / "gzip.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for part in ("train", "test"):
            stem = f"gzip/emnist-letters-{part}"
            archive.writestr(f"{stem}-images-idx3-ubyte.gz", gzip.compress(idx_bytes(x.transpose(0, 2, 1))))
            archive.writestr(f"{stem}-labels-idx1-ubyte.gz", gzip.compress(idx_bytes(y)))
    train, _ = emnist(path, "letters", REMOTE["emnist-letters"].classes)
    np.testing.assert_array_equal(train.x[:, 0], x)
    np.testing.assert_array_equal(train.y, y - 1)
    assert train.classes[0] == "A"
    path.write_bytes(b"no archive")
    with pytest.raises(DataError, match="is not an EMNIST archive"):
        emnist(path, "letters", ())
