"""Suggest a cure for a script's error: a failed import, data that cannot be downloaded, a missing file."""

import re
import sys
import traceback
from collections.abc import Iterable
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path

from chainrule.scratch.answer import COURSE, Course

__all__ = ["OF_THE_BOOK", "cure"]

OF_THE_BOOK = {"lena.png", "lena_gray.png", "cactus.png", "cactus_gray.png", "sample_weight.pkl", "params.pkl"} | {
    "deep_convnet_params.pkl",
    "cbow_params.pkl",
    "skipgram_params.pkl",
    "Rnnlm.pkl",
    "BetterRnnlm.pkl",
    "AttentionSeq2seq.pkl",
}
"""Files that the books' scripts open, from the book's repository or written by another script of the chapter."""


def cure(error: BaseException, course: Course) -> str | None:
    """Return one line of help on an error that a script raised, or None if there is nothing to add.

    It must be called while the course's modules are still being resolved.
    """
    if isinstance(error, ModuleNotFoundError):
        return _of_a_module(error.name or "")
    if isinstance(error, ImportError):
        return _of_a_name(error, course)
    if isinstance(error, FileNotFoundError) and Path(str(error.filename)).name in OF_THE_BOOK:
        return "this file comes from the book's repository or is written by another script of the chapter: put it there"
    lines = {frame.filename for frame in traceback.extract_tb(error.__traceback__)}
    for name, file in course.files.items():
        if file in lines and (name == "dataset.mnist" or (name == "dataset.ptb" and isinstance(error, OSError))):
            bundled = "MNIST" if name == "dataset.mnist" else "another text"
            return (
                f"{file} is yours and could not get its data; chainrule comes with {bundled}: `chainrule run --ours`"
                " uses chainrule's modules throughout; remove or rename this file to replace only this module"
            )
    return None


def _of_a_module(name: str) -> str | None:
    room, _, rest = name.partition(".")
    if room not in COURSE or not rest:
        return None
    folders = [Path(folder) for folder in getattr(sys.modules.get(room), "__path__", ())]
    looked = f"neither in {', '.join(map(str, folders))} nor one of" if folders else "not one of"
    known = [other.removeprefix(f"{room}.") for other in COURSE if other.startswith(f"{room}.")]
    known += [file.stem for folder in folders for file in folder.glob("[!_]*.py")]
    return f"{name} is {looked} chainrule's modules{_instead(rest, known, f'{room}.')}"


def _of_a_name(error: ImportError, course: Course) -> str | None:
    match = re.match(r"cannot import name '(\w+)' from '([\w.]+)'", str(error))
    if match is None or match[2].partition(".")[0] not in COURSE:
        return None
    name, module = match.groups()
    if "." not in module:  # a name missing from a package is a module
        return _of_a_module(f"{module}.{name}")
    file = course.files.get(module)
    public = [key for key in vars(sys.modules[module]) if not key.startswith("_")] if module in sys.modules else []
    owner = file or f"chainrule's {module}"
    told = f"{owner} has no {name}{_instead(name, public)}"
    if file and module in COURSE and hasattr(import_module(COURSE[module]), name):
        return f"{told}; chainrule's {module} has {name}: `chainrule run --ours` uses it"
    return told


def _instead(name: str, known: Iterable[str], prefix: str = "") -> str:
    names = list(dict.fromkeys(known))
    close = [prefix + other for other in get_close_matches(name, names, 3)]
    return f": did you mean {' or '.join(close)}?" if close else f": choose from {', '.join(names)}" if names else ""
