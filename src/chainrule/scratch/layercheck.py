"""What the check of one layer says: what was compared, what is wrong, and what was left out."""

from dataclasses import dataclass

from chainrule.diagnosis import Finding
from chainrule.gradcheck import GradientRow

__all__ = ["PASSES", "LayerCheck"]

PASSES = {
    "backward": "forward",
    "backward_pass": "forward_pass",
    "backward_propagation": "forward_propagation",
    "bprop": "fprop",
}
"""What layers call their two passes: the way back -> the way forth."""


@dataclass(frozen=True)
class LayerCheck:
    """What was compared, what is wrong, and what was not compared.

    Attributes:
        rows: one for each gradient that was compared.
        findings: one for each of them that is wrong.
        failure: why nothing could be compared.
        skipped: gradients that were not compared, each with the reason.
        constants: what forward reads and has no gradient; not the labels of a loss.
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
        """How many gradients there are, compared or not."""
        return len(self.rows) + len(self.skipped)
