"""The result of checking one layer: what was compared, what is wrong, and what was skipped."""

from dataclasses import dataclass

from chainrule.diagnosis import Finding
from chainrule.gradcheck import GradientRow

__all__ = ["PASSES", "LayerCheck", "passes_of"]

PASSES = (
    ("forward", "backward"),
    ("forward_pass", "backward_pass"),
    ("forward_propagation", "backward_propagation"),
    ("fprop", "bprop"),
    ("feedforward", "backprop"),
    ("forward", "backprop"),
    ("forwards", "backwards"),
)
"""Names of a layer's two methods."""


def passes_of(cls: type) -> dict[str, str]:
    """Return the pairs of PASSES that a class has, its base classes included: the backward pass -> the forward pass."""
    return {back: forth for forth, back in reversed(PASSES) if hasattr(cls, back) and hasattr(cls, forth)}


@dataclass(frozen=True)
class LayerCheck:
    """What was compared, what is wrong, and what was skipped.

    Attributes:
        rows: one row per gradient that was compared.
        findings: one finding per wrong gradient.
        failure: why nothing could be compared.
        skipped: gradients that were not compared, each with the reason.
        constants: arrays that forward reads and that have no gradient, except the labels of a loss.
    """

    rows: tuple[GradientRow, ...]
    findings: tuple[Finding, ...]
    failure: str | None = None
    skipped: tuple[Finding, ...] = ()
    constants: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        return not self.findings

    @property
    def produced(self) -> int:
        """The number of gradients, compared or not."""
        return len(self.rows) + len(self.skipped)
