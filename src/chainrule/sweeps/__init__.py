"""Many trainings of one recipe: over a grid, random draws, seeds, or settings proposed by a search."""

from chainrule.sweeps.plan import Plan, make_plan, read_plan
from chainrule.sweeps.run import load_sweep, run_sweep, sweep
from chainrule.sweeps.trials import Group, Trial, best_first, grouped

__all__ = [
    "Group",
    "Plan",
    "Trial",
    "best_first",
    "grouped",
    "load_sweep",
    "make_plan",
    "read_plan",
    "run_sweep",
    "sweep",
]
