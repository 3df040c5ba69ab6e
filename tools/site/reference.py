"""The reference: a page for each module that defines public names, made from its docstrings without running it."""

from pathlib import Path
from typing import Literal

import griffe

__all__ = ["Reference"]

_WITHOUT = {"cli", "bench", "scratch", "text"}
"""Rooms that are no interface: commands, what they share, and the course's own names (see course.md)."""
_HEAD_OF_A_MODULE = """\
    options:
      members: false
      show_root_heading: false
      show_root_toc_entry: false"""
_INDEX = (
    "# API reference\n\nEverything that `import chainrule as cr` offers, and below it the rooms of the package.\n",
    "# API 参考\n\n`import chainrule as cr` 提供的一切；下面是包里的各个房间。说明文字为英文。\n",
)
_SOURCE = ("Source", "源代码")
_COLUMNS = ("| name | what it is |", "| 名称 | 说明 |")


class Reference:
    """Public names of the package by the module that defines them, read from the syntax trees in `source`."""

    def __init__(self, source: Path) -> None:
        self._source = source
        self._package = griffe.load("chainrule", search_paths=[source], allow_inspection=False)
        self._modules: dict[str, list[griffe.Object]] = {}
        rooms = sorted(
            name for name, member in self._package.members.items() if not member.is_alias and member.is_module
        )
        for room in rooms:
            if room not in _WITHOUT and not room.startswith("_"):
                self._take(self._package[room])
        for kernels in self._package["kernels.reference"].members.values():
            if not kernels.is_alias and kernels.is_module:
                self._take(kernels)

    def _take(self, room: griffe.Object) -> None:
        """Note where each name in the room's `__all__` is defined."""
        for name in sorted(str(name) for name in room.exports or ()):
            thing = _named(room, name)
            if thing.is_module:
                continue
            known = self._modules.setdefault(thing.module.path, [])
            if thing not in known:
                known.append(thing)

    def pages(self, language: Literal["en", "zh"], up: str) -> tuple[dict[str, str], set[Path]]:
        """The pages by their place, and the source files that they link to, which stand under `up`source/."""
        chinese = language == "zh"
        texts = {_place(module): self._page(module, _SOURCE[chinese], up) for module in self._modules}
        texts["api/index.md"] = self._index(_INDEX[chinese], _COLUMNS[chinese])
        return texts, {Path(self._package[module.partition(".")[2]].filepath) for module in self._modules}

    def navigation(self) -> list[object]:
        """Modules below their rooms, by name."""
        entries: dict[str, list[object]] = {}
        for module in sorted(self._modules):
            room, _, rest = module.partition(".")[2].partition(".")
            entries.setdefault(room, []).append({rest or room: _place(module)})
        api = [entry[0] if len(entry) == 1 else {room: entry} for room, entry in entries.items()]
        return [{"API": ["api/index.md", *api]}]

    def _page(self, module: str, source: str, up: str) -> str:
        path = Path(self._package[module.partition(".")[2]].filepath)
        place = f"{'../' * _place(module).count('/')}{up}source/src/{path.relative_to(self._source).as_posix()}.html"
        parts = [
            f"# {module.rpartition('.')[2]}",
            f"`{module}`",
            f"::: {module}\n{_HEAD_OF_A_MODULE}",
        ]
        for thing in self._modules[module]:
            parts += [f"::: {thing.path}", f"[{source}]({place}#L{thing.lineno}){{ .source }}"]
        return "\n\n".join(parts) + "\n"

    def _index(self, head: str, columns: str) -> str:
        rows: dict[str, list[str]] = {}
        for name in sorted((str(name) for name in self._package.exports), key=str.lower):
            thing = _named(self._package, name)
            if thing.module.path in self._modules and not thing.is_module:
                first = (thing.docstring.value if thing.docstring else "").partition("\n")[0].replace("|", "\\|")
                place = _place(thing.module.path).removeprefix("api/")
                room = thing.module.path.split(".")[1]
                rows.setdefault(room, []).append(f"| [`{name}`]({place}#{thing.path}) | {first} |")
        tables = [f"## {room}\n\n{columns}\n| --- | --- |\n" + "\n".join(lines) for room, lines in sorted(rows.items())]
        return head + "\n" + "\n\n".join(tables) + "\n"


def _named(room: griffe.Object, name: str) -> griffe.Object:
    """What a name in a room stands for; a function hides the module of its own name, as in Python."""
    member = room[name]
    thing = member.final_target if member.is_alias else member
    return thing[name] if thing.is_module and name in thing.members else thing


def _place(module: str) -> str:
    """chainrule.layers.affine -> api/layers/affine.md."""
    return "api/" + module.partition(".")[2].replace(".", "/") + ".md"
