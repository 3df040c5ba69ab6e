"""Commands beside each other: killed ones go on, failed ones do not, and leaving stops them all."""

from contextlib import closing
from pathlib import Path

import pytest

from chainrule.errors import OptionError
from chainrule.parallel import LocalProcesses, Task, run_tasks


class Scripted:
    """Places whose commands end with the codes that are written down for them, after being asked so often."""

    def __init__(self, count: int, codes: dict[str, list[int | None]], told: str = "") -> None:
        self.count, self.codes, self.told = count, codes, told
        self.started: list[str] = []
        self.stopped: list[str] = []
        self.at_once = self.most_at_once = 0

    def start(self, words, log: Path):
        name, places = words[0], self
        places.started.append(name)
        places.at_once += 1
        places.most_at_once = max(places.most_at_once, places.at_once)
        code = places.codes[name].pop(0)

        class Running:
            def code(self):
                if code is not None or name in places.stopped:
                    places.at_once -= 1
                    with log.open("a") as file:
                        file.write(places.told)
                    return 130 if code is None else code
                return None

            def stop(self):
                places.stopped.append(name)

        return Running()


def tasks(folder: Path, names: str, progress=lambda: 0, done=lambda: False) -> list[Task]:
    return [Task(name, lambda name=name: [name], progress, done, folder / name) for name in names]


def test_as_many_at_once_as_there_are_places(tmp_path):
    places = Scripted(2, {name: [0] for name in "abcde"})
    ended = [event for event in run_tasks(tasks(tmp_path, "abcde"), places) if event]
    assert [(event.task.name, event.code) for event in ended] == [(name, 0) for name in "abcde"]
    assert places.most_at_once == 2


def test_what_was_killed_is_started_again_and_what_failed_is_not(tmp_path):
    places = Scripted(1, {"a": [-9, 137, 0], "b": [2]}, told="some\nerror: it is so\n")
    ended = [event for event in run_tasks(tasks(tmp_path, "ab"), places) if event]
    assert [(event.task.name, event.code, event.last) for event in ended] == [
        ("b", 2, "error: it is so"),
        ("a", 0, "error: it is so"),
    ]
    assert places.started == ["a", "b", "a", "a"]


@pytest.mark.parametrize(("makes_progress", "starts"), [(False, 5), (True, 9)])
def test_without_progress_it_is_given_up_after_five_kills(makes_progress, starts, tmp_path):
    places = Scripted(1, {"a": [-9] * 8 + [0]})
    progress = (lambda: len(places.started)) if makes_progress else (lambda: 0)
    (ended,) = [event for event in run_tasks(tasks(tmp_path, "a", progress), places) if event]
    assert (ended.code, len(places.started)) == (0 if makes_progress else -9, starts)


def test_what_was_done_when_it_was_killed_is_not_run_again(tmp_path):
    places = Scripted(1, {"a": [-9]})
    (ended,) = [event for event in run_tasks(tasks(tmp_path, "a", done=lambda: bool(places.started)), places) if event]
    assert (ended.code, places.started) == (0, ["a"])
    assert [event.code for event in run_tasks(tasks(tmp_path, "a", done=lambda: True), places) if event] == [0]
    assert places.started == ["a"]


def test_a_folder_that_is_still_held_is_waited_for(tmp_path):
    places = Scripted(1, {"a": [2, 2, 0]}, told="error: another training is writing into x: wait until it ends\n...\n")
    (ended,) = [event for event in run_tasks(tasks(tmp_path, "a"), places) if event]
    assert (ended.code, places.started) == (0, ["a"] * 3)


def test_leaving_the_loop_stops_what_is_under_way(tmp_path):
    places = Scripted(2, {"a": [None], "b": [None], "c": [0]})
    with closing(run_tasks(tasks(tmp_path, "abc"), places)) as events:
        assert next(events) is None
    assert sorted(places.stopped) == ["a", "b"]
    assert places.started == ["a", "b"]


def test_no_place_is_refused():
    with pytest.raises(OptionError, match="--workers must be 1 or more, got 0"):
        LocalProcesses(0)
