"""Which page stands where on the site, and where its links lead."""

import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from reference import Reference

from chainrule.lessons import find_lessons

__all__ = ["LANGUAGES", "ROOT", "Language", "Pages", "spoken", "staged"]

Language = Literal["en", "zh"]
LANGUAGES: tuple[Language, ...] = ("en", "zh")
ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"

_TOP = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "SECURITY.md": "security.md",
}
_SECTIONS = {
    ("Tutorials", "教程"): [
        f"tutorials/{name}.md" for name in ("training", "data", "layer", "reading", "serving", "export")
    ],
    ("Guides", "指南"): [
        f"{name}.md"
        for name in (
            "commands",
            "data",
            "recipes",
            "models",
            "reading",
            "text",
            "page",
            "exchange",
            "notebooks",
            "scaling",
        )
    ],
    ("Background", "背景"): [
        f"{name}.md" for name in ("architecture", "correctness", "results", "performance", "reliability", "kernels")
    ],
}
"""Pages of each section in their order; a page that is named nowhere is a guide."""
_ELSEWHERE = {"index.md", "bricks.md", "contributing.md", "changelog.md", "security.md"}
_FOLDERS = {
    DOCS / "decisions": "decisions/index.md",
    DOCS / "lessons": "course.md",
    DOCS / "tutorials": "tutorials/training.md",
}
_PICTURES = {".png", ".jpg", ".svg"}
_FENCED = re.compile(r"(^(```+|~~~+).*?^\2[ ]*$)", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[([^\]]*)\]\(([^)\s]+)\)")
_FILE_NAME = re.compile(r"`?[\w./-]+\.md`?$")
_OTHER_LANGUAGE = re.compile(r"^\[(?:中文|English)\]\([^)]+\)\n\n?", re.MULTILINE)
_LESSON = (
    "Work through this lesson with `chainrule lesson {number}`: it writes the script, and checks your answer.",
    "用 `chainrule lesson {number}` 来做这一课：它写出脚本，并检查你的答案。",
)
_DECISIONS = (
    "# Decisions\n\nOne page for each decision that could have gone the other way: what, why, and what was measured.\n",
    "# 决定\n\n每个本可以另作选择的决定各有一页（英文）：做了什么，为什么，还测量了什么。\n",
)


def spoken(words: tuple[str, str], language: Language) -> str:
    return words[LANGUAGES.index(language)]


@dataclass
class Pages:
    """The pages of one language by their place, the navigation, and the files that they show or link to."""

    texts: dict[str, str] = field(default_factory=dict)
    navigation: list[object] = field(default_factory=list)
    pictures: dict[str, Path] = field(default_factory=dict)
    sources: set[Path] = field(default_factory=set)


def staged(language: Language, reference: Reference) -> Pages:
    """All pages of a language.

    Raises:
        ValueError: a link leads to nothing.
    """
    places = _places()
    pages = Pages()
    for place, origin in _origins(places, language).items():
        text = _OTHER_LANGUAGE.sub("", origin.read_text(encoding="utf-8"), count=1)
        pages.texts[place] = _linked(text, origin, place, places, language, pages)
    lessons = _lessons(language)
    pages.texts |= lessons
    decisions = {place: text for place, text in pages.texts.items() if place.startswith("decisions/")}
    pages.texts["decisions/index.md"] = _decisions(decisions, language)
    api, modules = reference.pages(language, "../" if language == "zh" else "")
    pages.texts |= api
    pages.sources |= modules
    pages.navigation = _navigation(pages.texts, lessons, decisions, reference, language)
    return pages


def _places() -> dict[Path, str]:
    """Every document of both languages, and its place on the site of its language."""
    places = {ROOT / name: place for name, place in _TOP.items()}
    places |= {path: path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md")}
    chinese = {
        path: place.replace(".zh-CN.md", ".md") for path, place in places.items() if path.name.endswith(".zh-CN.md")
    }
    return places | chinese | {ROOT / "README.zh-CN.md": "index.md"}


def _origins(places: dict[Path, str], language: Language) -> dict[str, Path]:
    """Of each place the document: the Chinese one where there is one and Chinese is wanted."""
    origins: dict[str, Path] = {}
    for path, place in sorted(places.items()):
        is_chinese = path.name.endswith(".zh-CN.md")
        if place not in origins or is_chinese == (language == "zh"):
            origins[place] = path
    return origins


def _linked(text: str, origin: Path, place: str, places: dict[Path, str], language: Language, pages: Pages) -> str:
    """The page with its links leading to pages of the site, or to the files under source/."""

    def link(match: re.Match[str]) -> str:
        words, path, mark, anchor = match[1], *match[2].partition("#")
        if not path or re.match(r"\w+:", path):
            return match[0]
        found = Path(os.path.normpath(origin.parent / path))
        if not found.exists():
            raise ValueError(f"{origin.relative_to(ROOT)}: {path} leads to nothing")
        if found.suffix in _PICTURES:
            there = f"pictures/{found.name}"
            pages.pictures[there] = found
        else:
            there = _FOLDERS.get(found) or places.get(found) or _lesson_place(found)
        if there is None:
            pages.sources.add(found)
            up = "../" * (place.count("/") + (language == "zh"))
            there = f"{up}source/{found.relative_to(ROOT).as_posix()}{'/index' if found.is_dir() else ''}.html"
        else:
            there = os.path.relpath(there, Path(place).parent)
        if found in places and _FILE_NAME.match(words):  # docs/bricks.md: on the site a page goes by its title
            words = _title(found.read_text(encoding="utf-8"))
        return f"[{words}]({there}{mark}{anchor})"

    parts = _FENCED.split(text)  # text, fence, its mark, text, ...
    parts[::3] = [_LINK.sub(link, part) for part in parts[::3]]
    return "".join(part for index, part in enumerate(parts) if index % 3 != 2)


def _lesson_place(path: Path) -> str | None:
    return f"lessons/{path.stem.removesuffix('_zh')}.md" if path.parent == DOCS / "lessons" else None


def _lessons(language: Language) -> dict[str, str]:
    pages = {}
    for lesson in find_lessons(language):
        cells = [f"```python\n{cell.text.strip()}\n```" if cell.is_code else cell.text.strip() for cell in lesson.cells]
        note = spoken(_LESSON, language).format(number=lesson.number)
        pages[f"lessons/{lesson.name}.md"] = "\n\n".join([cells[0], f'!!! tip ""\n    {note}', *cells[1:]]) + "\n"
    return pages


def _decisions(decisions: dict[str, str], language: Language) -> str:
    rows = [f"* [{_title(text)}]({Path(place).name})" for place, text in sorted(decisions.items())]
    return spoken(_DECISIONS, language) + "\n" + "\n".join(rows) + "\n"


def _title(text: str) -> str:
    return re.search(r"^# (.*)$", text, re.MULTILINE)[1]


def _navigation(
    texts: dict[str, str], lessons: dict[str, str], decisions: dict[str, str], reference: Reference, language: Language
) -> list[object]:
    tutorials, guides, background = (list(names) for names in _SECTIONS.values())
    course = ["course.md", *sorted(lessons)]
    named = {*tutorials, *guides, *background, *course, *_ELSEWHERE}
    guides += [place for place in sorted(texts) if place not in named and not place.startswith(("api/", "decisions/"))]
    guides.append("contributing.md")
    background.append({spoken(("Decisions", "决定"), language): ["decisions/index.md", *sorted(decisions)]})
    titles = [spoken(words, language) for words in _SECTIONS]
    return [
        {spoken(("Home", "首页"), language): "index.md"},
        {titles[0]: tutorials},
        {spoken(("Lessons", "课程"), language): course},
        {titles[1]: guides},
        {titles[2]: background},
        {
            spoken(("Reference", "参考"), language): [
                "bricks.md",
                *reference.navigation(),
                "changelog.md",
                "security.md",
            ]
        },
    ]
