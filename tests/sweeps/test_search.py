"""Proposals: within the space, better than chance, and the same for every order in which trials end."""

import math
import sys
from pathlib import Path

import pytest

from chainrule.errors import MissingExtraError, OptionError
from chainrule.sweeps import Plan, Trial, make_plan, run_sweep
from chainrule.sweeps.search import propose

pytest.importorskip("optuna")

SEARCH = {
    "trials": 30,
    "learning_rate": {"low": 0.001, "high": 1.0, "log": True},
    "batch_size": {"low": 10, "high": 200},
    "augment": [{}, {"rotation": 10}],
    "average": {"low": 0.1, "high": 0.9},
}


def ended(number: int, varied: dict[str, object], state: str = "done") -> Trial:
    """Best at a rate of 0.05 without augmentation."""
    score = -abs(math.log(varied["learning_rate"] / 0.05)) - len(varied["augment"])
    return Trial(number, Path(f"{number}"), varied, state, ((1, 1, score),) * 3, chosen_by=score)


def searched(seed: int, state: str = "done", at_once: int = 4) -> list[Trial]:
    plan = make_plan(search=SEARCH | {"seed": seed, "at_once": at_once})
    trials: list[Trial] = []
    while len(trials) < plan.count:
        trials.append(ended(len(trials) + 1, propose(plan.search, trials), state))
    return trials


def test_proposals_lie_in_the_space_and_come_closer():
    for state in ("done", "stopped"):
        found = searched(0, state)
        for trial in found:
            assert 0.001 <= trial.varied["learning_rate"] <= 1
            assert trial.varied["batch_size"] in range(10, 201)
            assert trial.varied["augment"] in ({}, {"rotation": 10})
        early, late = (sum(t.chosen_by for t in part) / 10 for part in (found[:10], found[20:]))
        assert late > early + 0.5
    assert searched(0) == searched(0) != searched(1)


def test_those_under_way_count_as_such_whether_they_have_ended_or_not():
    plan = make_plan(search=SEARCH)
    known = searched(0)[:14]
    under_way = [
        trial if trial.number <= 11 else Trial(trial.number, trial.folder, trial.varied, "waiting") for trial in known
    ]
    assert propose(plan.search, known) == propose(plan.search, under_way)
    assert propose(plan.search, known) != propose(plan.search, [*known[:10], ended(11, known[10].varied, "failed")])


def test_a_plan_is_read_as_it_is_written():
    plan = make_plan(search=SEARCH, asha={"epochs": [1, 3], "keep": 0.5}, fixed={"model": "cnn"})
    assert (plan.count, plan.rungs, plan.keep, plan.waits, plan.recipes) == (30, (1, 3), 0.5, False, ())
    assert plan.search.base.epochs == 3
    assert Plan.of_dict(plan.as_dict()) == plan


def test_without_optuna_the_line_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "optuna", None)
    plan = make_plan(search={"trials": 1, "seed": 0, "learning_rate": [0.1]})
    with pytest.raises(MissingExtraError, match=r'a search needs optuna: pip install "chainrule\[search\]"'):
        next(run_sweep(plan, tmp_path / "sweep", None, resume=False))
    assert not (tmp_path / "sweep").exists()


@pytest.mark.parametrize(
    "content", ["{", "[3]", '[{"learning_rate": 0.1, "seed": 1}]', '[{"learning_rate": "x"}]', "{}"]
)
def test_damaged_proposals_are_told(content, tmp_path):
    plan = make_plan(search={"trials": 2, "learning_rate": [0.1]})
    events = run_sweep(plan, tmp_path, None, resume=False)
    (tmp_path / "proposed.json").write_text(content)
    with pytest.raises(OptionError, match=r"proposed\.json is damaged"):
        next(events)
