"""A sweep on a Ray cluster, in a network of its own from which nothing leaves this machine."""

import csv
import fcntl
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import pytest

from chainrule.errors import MissingExtraError, OptionError
from chainrule.parallel import RayCluster, launch_on_ray, ray_cluster, ray_launch
from parallel.starting import until

_UP = 1
_GET_FLAGS, _SET_FLAGS = 0x8913, 0x8914


def loopback_up() -> None:
    """`ip link set lo up`, where there is no ip."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as handle:
        request = struct.pack("16sh14x", b"lo", 0)
        flags = struct.unpack("16sh14x", fcntl.ioctl(handle, _GET_FLAGS, request))[1]
        fcntl.ioctl(handle, _SET_FLAGS, struct.pack("16sh14x", b"lo", flags | _UP))


def in_own_network(*words: object, **options: object) -> subprocess.Popen[str]:
    """`chainrule WORDS` in a network namespace that has the loopback device alone."""
    code = "import sys; from parallel.test_ray import loopback_up; loopback_up()\n"
    code += "from chainrule.cli import main; sys.exit(main(sys.argv[1:]))"
    command = ["unshare", "--map-root-user", "--net", sys.executable, "-c", code, *map(str, words)]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1]), "RAY_USAGE_STATS_ENABLED": "0"}
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, **options
    )


@pytest.mark.long
def test_a_sweep_on_a_cluster_loses_nothing_when_workers_are_killed(small_folder, chainrule, tmp_path):
    if subprocess.run(["unshare", "--map-root-user", "--net", "true"], check=False).returncode:
        pytest.skip("this system makes no namespaces for us")
    plan, folder = tmp_path / "seeds.toml", tmp_path / "sweep"
    plan.write_text(f'data = "{small_folder}"\n[fixed]\nepochs = 20\nbatch_size = 10\n[grid]\nseed = [0, 1]\n')
    words = ["sweep", plan, "--workers", 2, "--engine", "ray", "--output", folder]
    with in_own_network(*words, cwd=tmp_path) as process:
        until(lambda: (folder / "1" / "checkpoint.safetensors").exists() or process.poll() is not None)
        for number in ray_workers():
            os.kill(number, signal.SIGKILL)
        said, told = process.communicate(timeout=300)
    assert process.returncode == 0, told
    rows = list(csv.DictReader((folder / "trials.csv").read_text().splitlines()))
    assert [row["state"] for row in rows] == ["done", "done"]
    for seed in ("1", "2"):
        options = ["--recipe", folder / seed / "recipe.toml", "--output", tmp_path / seed]
        assert chainrule("train", "--data", small_folder, *options).returncode == 0
        models = [(path / "model.safetensors").read_bytes() for path in (tmp_path / seed, folder / seed)]
        assert models[0] == models[1]
    assert "best           trial" in said


@pytest.mark.long
def test_one_training_on_a_cluster_goes_on_when_ray_loses_its_workers(small_folder, chainrule, tmp_path):
    if subprocess.run(["unshare", "--map-root-user", "--net", "true"], check=False).returncode:
        pytest.skip("this system makes no namespaces for us")
    options = ["--data", small_folder, "--epochs", 30, "--batch-size", 10]
    folder = tmp_path / "run"
    words = ["train", *options, "--workers", 2, "--engine=ray", "--output", folder]
    with in_own_network(*words, cwd=tmp_path) as process:
        until(lambda: (folder / "checkpoint.safetensors").exists() or process.poll() is not None)
        for number in ray_workers():
            os.kill(number, signal.SIGKILL)
        _, told = process.communicate(timeout=300)
    assert process.returncode == 0, told
    assert "Ray has lost the workers: going on from the last checkpoint" in told
    assert "2 workers, each batch in 8 parts" in told
    assert chainrule("train", *options, "--accumulate", 8, "--output", tmp_path / "alone").returncode == 0
    models = [(path / "model.safetensors").read_bytes() for path in (folder, tmp_path / "alone")]
    assert models[0] == models[1]


def ray_workers() -> list[int]:
    """The processes in which Ray runs our tasks."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if (path / "cmdline").read_bytes().startswith(b"ray::_run"):
                found.append(int(path.name))
        except OSError:
            continue
    return found


def test_a_cluster_that_does_not_answer_is_told_in_time():
    started = time.monotonic()
    with pytest.raises(OptionError, match=r"no Ray cluster answers at 127\.0\.0\.1:9"):
        RayCluster(1, "127.0.0.1:9")
    assert time.monotonic() - started < 15
    for address in ("here", "here:there", ":1"):
        with pytest.raises(OptionError, match="must be host:port"):
            RayCluster(1, address)


def test_what_is_no_cluster_is_told_in_a_line(monkeypatch):
    """Whatever Ray raises when it finds something else at the address, or cannot start."""
    ray = SimpleNamespace(init=lambda **options: fails(), shutdown=lambda: None)
    monkeypatch.setitem(sys.modules, "ray", ray)

    def fails() -> None:
        raise Exception("The node timed out\nduring startup.")

    with pytest.raises(OptionError, match=r"Ray does not start \(The node timed out during startup"):
        RayCluster(1)


@pytest.mark.parametrize(("answer", "told"), [(b"SSH-2.0-OpenSSH\r\n", "something else does"), (b"", "timed out")])
def test_another_server_at_the_address_is_told_in_time(answer, told, monkeypatch):
    """Ray itself waits for it for ever (2.60, tried for four minutes)."""
    monkeypatch.setattr(ray_cluster, "_DEADLINE", 1.0)
    monkeypatch.setitem(sys.modules, "ray", SimpleNamespace())
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = f"127.0.0.1:{other.getsockname()[1]}"
        asked: list[bytes] = []

        def serve() -> None:
            with suppress(ConnectionError), other.accept()[0] as client:
                if answer:
                    client.sendall(answer)
                asked.append(client.recv(100))
                client.recv(100)  # until the other side has given up

        thread = threading.Thread(target=serve)
        thread.start()
        with pytest.raises(OptionError, match=f"no Ray cluster answers at {address} \\({told}"):
            RayCluster(1, address)
        thread.join()
    assert asked[0].startswith(b"PRI * HTTP/2.0")


def test_a_training_that_no_node_has_cores_for_is_refused(monkeypatch):
    nodes = [{"Alive": True, "Resources": {"CPU": 4.0}}, {"Alive": False, "Resources": {"CPU": 64.0}}]
    ray = SimpleNamespace(
        init=lambda **options: None, shutdown=lambda: None, nodes=lambda: nodes, remote=lambda **options: lambda f: f
    )
    monkeypatch.setitem(sys.modules, "ray", ray)
    monkeypatch.setattr(ray_cluster, "_knock", lambda address: None)
    RayCluster(1, "head:1", cores=4)
    with pytest.raises(OptionError, match="no node of the cluster has 8 cores, the largest has 4: use fewer"):
        RayCluster(1, "head:1", cores=8)


def test_one_training_goes_on_when_ray_loses_its_workers(monkeypatch, tmp_path, capfd):
    """With a cluster that loses the first start after a checkpoint: the second one resumes, with the other words."""
    started: list[list[str]] = []
    codes = [-9, 0]

    class Cluster:
        count = 1

        def __init__(self, count: int, address: str | None, *, cores: int) -> None:
            assert (count, address, cores) == (1, "head:1", 3)

        def start(self, words, log: Path):
            started.append(list(words))
            (tmp_path / "checkpoint.safetensors").write_text("")
            log.write_text(f"{log.read_text() if log.exists() else ''}start {len(started)}\n")
            return SimpleNamespace(code=lambda: codes.pop(0), stop=lambda: None)

        def close(self) -> None:
            pass

    monkeypatch.setattr(ray_launch, "RayCluster", Cluster)
    notes: list[str] = []
    words = ["train", "--engine", "ray", "--data", "digits", "--address=head:1", "--workers", "3"]
    assert launch_on_ray(words, 3, "head:1", tmp_path, notes.append) == 0
    assert started == [["train", "--data", "digits", "--workers", "3", *more] for more in ([], ["--resume"])]
    assert notes == ["Ray has lost the workers: going on from the last checkpoint"]
    assert capfd.readouterr().err == "start 1\nstart 2\n"
    with pytest.raises(OptionError, match="--engine ray needs --output"):
        launch_on_ray(words, 3, None, None, notes.append)


def test_without_ray_the_line_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtraError, match=r'needs ray: pip install "chainrule\[ray\]"'):
        RayCluster(1)
