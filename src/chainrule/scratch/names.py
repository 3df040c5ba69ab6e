"""Guess from a name whether an array is learned or a gradient (and of what), and whether a number is a rate."""

import re

from chainrule.scratch.reach import Place

__all__ = ["base_name", "is_learned_by_name", "names_gradient", "names_gradient_of_input", "says_gradient", "says_rate"]

_LEARNED = {"w", "b", "gamma", "beta"}
"""Names that need a gradient, whether or not there is one; so does everything in a list or dict called params."""
_SAME = {"weight": "w", "weights": "w", "bias": "b", "biases": "b"}
_BEFORE = ("d", r"d[a-z]_?d", r"dloss_?d?", "g", "grads?", "gradients?", "delta", "nabla")
_AFTER = ("d", "g", "grads?", "gradients?", "diff")
_FORMS = [re.compile(f"{word}_?(.+)") for word in _BEFORE] + [re.compile(f"(.+?)_?{word}") for word in _AFTER]
"""Patterns of a gradient's name, built from the name of its array."""
_INPUTS = ("x", "input", "inputs")
_RATE = re.compile(r"lr|eta|alpha|rate|step|step_?size|learn\w*rate\w*|\w+_lr|lr_?\d*")
_FAMILIES = ("grad", "dparam", "dweight", "delta")


def says_gradient(name: str) -> bool:
    lower = name.lower()
    return any(family in lower for family in _FAMILIES)


def says_rate(name: str) -> bool:
    """Check whether a number with this name is a learning rate."""
    return _RATE.fullmatch(name.lower().strip("_")) is not None


def base_name(name: str) -> str:
    lower = name.lower().strip("_")
    return _SAME.get(lower, lower)


def names_gradient(gradient: str, target: str) -> bool:
    """Check whether a name such as `dW`, `gw` or `W_grad` denotes the gradient of `W`."""
    lower = gradient.lower().strip("_")
    return any((m := form.fullmatch(lower)) and base_name(m[1]) == base_name(target) for form in _FORMS)


def names_gradient_of_input(name: str) -> bool:
    """Check whether a name such as `dinputs` or `input_grad` denotes the gradient of a layer's input."""
    return any((m := form.fullmatch(name.lower().strip("_"))) and m[1] in _INPUTS for form in _FORMS)


def is_learned_by_name(place: Place) -> bool:
    """Check whether the name of a place says that its array needs a gradient."""
    words = [str(key).lower() for _, key in place.steps]
    if any(map(says_gradient, words)):
        return False
    return base_name(place.last) in _LEARNED or any("param" in word for word in words)
