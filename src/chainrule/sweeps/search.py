"""Search: settings proposed from earlier results, the same ones however many trials run at once.

Trial k is proposed from the trials up to k - `at_once`, all of which have ended by then; those between are running and
count as poor, so that the next one is tried elsewhere (a "constant liar": Ginsbourger, Le Riche and Carraro 2010,
"Kriging is well-suited to parallelize optimization"). So a proposal depends on results and not on timing, and a sweep
that is stopped and resumed tries the same settings. Optuna's tree-structured Parzen estimator makes the proposals
(Bergstra, Bardenet, Bengio and Kegl 2011, "Algorithms for Hyper-Parameter Optimization").
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.errors import MissingExtraError, OptionError
from chainrule.recipes import Recipe
from chainrule.sweeps.space import Interval
from chainrule.sweeps.trials import Trial

__all__ = ["Search", "check_optuna", "propose"]

_STARTUP = 10
"""Maximum number of trials drawn at random at the start; with fewer than 30 trials, a third."""


@dataclass(frozen=True)
class Search:
    """What is searched.

    Attributes:
        base: the recipe to vary.
        space: field -> its possible values.
        trials: their number.
        seed: decides the proposals.
        at_once: trials proposed without knowing each other's result, so that they can run at once.
    """

    base: Recipe
    space: Mapping[str, tuple[Any, ...] | Interval]
    trials: int
    seed: int
    at_once: int


def check_optuna() -> None:
    """Raise MissingExtraError unless Optuna is installed."""
    _optuna()


def propose(search: Search, trials: Sequence[Trial]) -> dict[str, Any]:
    """The settings of the trial after these, the last `at_once` - 1 of which are still running.

    Raises:
        MissingExtraError: Optuna is not installed.
    """
    optuna = _optuna()
    number = len(trials) + 1
    seed = int(np.random.SeedSequence([search.seed, number]).generate_state(1)[0])
    startup = max(1, min(_STARTUP, search.trials // 3))
    sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=startup, constant_liar=True)
    told = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        study = optuna.create_study(sampler=sampler, direction="maximize")
        distributions = {name: _distribution(optuna, how) for name, how in search.space.items()}
        for trial in trials:
            ended = trial.number <= number - search.at_once
            study.add_trial(
                optuna.trial.create_trial(
                    params={name: _coded(how, trial.varied[name]) for name, how in search.space.items()},
                    distributions=distributions,
                    **(_outcome(optuna, trial) if ended else {"state": optuna.trial.TrialState.RUNNING}),
                )
            )
        asked = study.ask(distributions).params
    finally:
        optuna.logging.set_verbosity(told)
    return {
        name: how.within(asked[name]) if isinstance(how, Interval) else how[asked[name]]
        for name, how in search.space.items()
    }


def _outcome(optuna: Any, trial: Trial) -> dict[str, Any]:
    """How a trial has ended, in Optuna's terms."""
    states = optuna.trial.TrialState
    if trial.state == "done" and trial.chosen_by is not None:
        return {"state": states.COMPLETE, "value": trial.chosen_by}
    if trial.state == "stopped" and trial.chosen_by is not None:
        return {"state": states.PRUNED, "intermediate_values": {len(trial.epochs): trial.chosen_by}}
    return {"state": states.FAIL}


def _distribution(optuna: Any, how: tuple[Any, ...] | Interval) -> Any:
    if not isinstance(how, Interval):
        return optuna.distributions.CategoricalDistribution(
            range(len(how))
        )  # indices, since Optuna does not accept tables
    kind = optuna.distributions.IntDistribution if how.whole else optuna.distributions.FloatDistribution
    return kind(how.low, how.high, log=how.log)


def _coded(how: tuple[Any, ...] | Interval, value: Any) -> Any:
    if isinstance(how, Interval):
        return value
    if value not in how:
        raise OptionError(f"an earlier trial has {value!r:.60}, which is not searched: begin a new sweep")
    return how.index(value)


def _optuna() -> Any:
    try:
        import optuna
    except ModuleNotFoundError:
        raise MissingExtraError("optuna", "a search", "search") from None
    return optuna
