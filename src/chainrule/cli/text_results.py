"""What is told of a network that writes text: perplexity, and bits a character."""

from typing import Any

from chainrule.cli.terminal import translated
from chainrule.data import Part, Text
from chainrule.metrics import bits_of_a_character, perplexity
from chainrule.training import Evaluation

__all__ = ["fields_of_text", "figures_of_text", "of_text"]


def of_text(loss: float | None, text: Part) -> str:
    """The end of an epoch's line; nothing of other data."""
    if loss is None or not isinstance(text, Text):
        return ""
    bits = bits_of_a_character(loss, text.characters_of_a_token)
    return f"  {translated(f'perplexity {perplexity(loss):.2f}')}  {translated(f'{bits:.3f} bits a character')}"


def figures_of_text(part: str, loss: float, text: Text) -> dict[str, Any]:
    """What report.json says of one part of a text."""
    return {
        f"{part}_loss": loss,
        f"{part}_perplexity": perplexity(loss),
        f"{part}_bits_a_character": bits_of_a_character(loss, text.characters_of_a_token),
    }


def fields_of_text(measured: Evaluation, text: Text) -> dict[str, object]:
    """How well a text is foretold, in words."""
    read = measured.n * text.preparation.context
    kind = translated(text.preparation.tokenizer.kind)
    return {
        "test loss": translated(f"{measured.loss:.4f} of {read:,} {kind}"),
        "perplexity": f"{perplexity(measured.loss):.2f}",
        "bits a character": f"{bits_of_a_character(measured.loss, text.characters_of_a_token):.3f}",
    }
