"""A small sample of `make fuzz`, the same files every time; and the campaign itself reports what it looks for."""

import itertools
import os
import time

import pytest

from fuzz import campaign as campaigns
from fuzz.corpus import READERS, Reader


@pytest.mark.parametrize("name", READERS)
def test_changed_files_are_read_or_refused(name):
    result = campaigns.campaign(name, 60, seed=18)
    assert result.files == 60
    assert not result.faults, str(result)


@pytest.mark.parametrize("name", READERS)
def test_whole_files_are_read(name, tmp_path):
    for content in READERS[name].seeds(tmp_path):
        path = tmp_path / f"whole.{READERS[name].ending}"
        path.write_bytes(content)
        READERS[name].read(path)


@pytest.mark.parametrize(
    ("read", "kind"),
    [
        (lambda path: os.abort(), "crashes"),
        (lambda path: 1 / 0, "foreign"),
        (lambda path: time.sleep(60), "hangs"),
        (lambda path: sum(itertools.repeat(1)), "hangs"),
        (lambda path: bytes(2**31), "memory"),
    ],
)
def test_faults_are_counted(read, kind, monkeypatch, tmp_path):
    monkeypatch.setitem(READERS, "bad", Reader("bin", read, lambda folder: [b"12"]))
    monkeypatch.setattr(campaigns, "SECONDS", 0.2)
    monkeypatch.setattr(campaigns, "GRACE", 1)
    result = campaigns.campaign("bad", 2, seed=0, keep=tmp_path)
    assert getattr(result, kind) == result.faults == 2
    assert len(list(tmp_path.iterdir())) == 2
