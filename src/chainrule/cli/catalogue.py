"""Messages in another language: an English sentence is recognized by its template, and said by the template's twin.

The library says what it has to say in English. Here at the edge a sentence such as "cannot write a.png: the disk is
full" is found to be an instance of "cannot write {path}: {error}", and its fields are put into the translation of that.
There a field that is a message itself is marked {error!t}, and one that is a number {n!n}: "{low} to {high}" of numbers
is not found in any sentence with "to".
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files

from chainrule.text import Language

__all__ = ["FIELD", "Catalogue", "catalogue_of"]

FIELD = re.compile(r"\{([A-Za-z_]\w*)(![tn])?\}")
"""A field of a template; in a translation, with !t one that is translated too, with !n one that must be a number."""
_NUMBER = re.compile(r" *[-+]?(\d[\d,.]*(e[-+]\d+)?%?|nan|inf)")


@dataclass(frozen=True)
class _Template:
    """An English sentence with named fields: the pieces of text around them, in order."""

    pieces: tuple[str, ...]
    names: tuple[str, ...]
    numbers: frozenset[str]
    translation: str

    @classmethod
    def of(cls, english: str, translation: str) -> "_Template":
        parts = FIELD.split(english)
        numbers = frozenset(name for name, mark in FIELD.findall(translation) if mark == "!n")
        return cls(tuple(parts[::3]), tuple(parts[1::3]), numbers, translation)

    @property
    def rank(self) -> tuple[bool, int]:
        """What says more about a sentence comes first: its beginning, then the number of characters."""
        return not self.pieces[0], -sum(map(len, self.pieces))

    def match(self, sentence: str) -> dict[str, str] | None:
        """The values of the fields, each as short as can be; None for other sentences."""
        first, *inner, last = self.pieces
        end = len(sentence) - len(last)
        if not (sentence.startswith(first) and sentence.endswith(last)) or len(first) > end:
            return None
        values, place = [], len(first)
        for piece in inner:
            found = sentence.find(piece, place, end)
            if found < 0:
                return None
            values.append(sentence[place:found])
            place = found + len(piece)
        fields = dict(zip(self.names, [*values, sentence[place:end]], strict=True))
        return fields if all(_NUMBER.fullmatch(fields[name]) for name in self.numbers) else None


class Catalogue:
    """English templates and their translations; without any, all is said in English."""

    def __init__(self, messages: Mapping[str, str]) -> None:
        self.messages = messages

    def translated(self, text: str) -> str:
        """The text in the catalogue's language, line by line; a line that is not in it stays as it is."""
        return "\n".join(map(self._line, text.split("\n"))) if self.messages else text

    def _line(self, line: str) -> str:
        sentence = line.strip()
        begin = line[: len(line) - len(line.lstrip())]
        if sentence in self.messages:
            return begin + self.messages[sentence]
        for template in self._templates:
            values = template.match(sentence)
            if values is not None:
                return begin + self._filled(template.translation, values)
        return line

    def _filled(self, translation: str, values: Mapping[str, str]) -> str:
        def value(field: re.Match[str]) -> str:
            said = values[field[1]]
            return self.translated(said) if field[2] == "!t" else said

        return FIELD.sub(value, translation)

    @cached_property
    def _templates(self) -> list[_Template]:
        templates = [_Template.of(*pair) for pair in self.messages.items() if FIELD.search(pair[0])]
        return sorted(templates, key=lambda template: template.rank)


def catalogue_of(language: Language) -> Catalogue:
    """The package's catalogue of a language; English needs none."""
    if language == "en":
        return Catalogue({})
    return Catalogue(tomllib.loads((files(__package__) / f"messages.{language}.toml").read_text(encoding="utf-8")))
