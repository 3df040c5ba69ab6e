"""Build the documentation as plain files: English at the top, Chinese under zh/, sources under source/.

python tools/site [FOLDER]

The pages are those of docs/, README and the lessons; the reference is made of the docstrings. Warnings are errors.
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from string import Template

from reference import Reference
from sources import write_sources

from pages import LANGUAGES, ROOT, Language, spoken, staged

HERE = Path(__file__).parent
WORK = ROOT / "build" / "site-work"
"""Where the pages of each language stand before Zensical reads them."""


def build(site: Path) -> None:
    """Build the site of both languages into the folder `site`, which is replaced."""
    reference = Reference(ROOT / "src")
    shutil.rmtree(site, ignore_errors=True)
    sources: set[Path] = set()
    for language in LANGUAGES:
        target = site if language == "en" else site / language
        sources |= _build_language(language, target, reference)
    write_sources(sorted(sources), ROOT, site / "source")


def _build_language(language: Language, target: Path, reference: Reference) -> set[Path]:
    """Build one language; return the source files that its pages link to."""
    work = WORK / language
    shutil.rmtree(work, ignore_errors=True)
    pages = staged(language, reference)
    for place, text in pages.texts.items():
        path = work / "pages" / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    (work / "pages" / "pictures").mkdir()
    for place, picture in pages.pictures.items():
        shutil.copy(picture, work / "pages" / place)
    shutil.copy(HERE / "site.css", work / "pages")
    shutil.copytree(HERE / "theme", work / "theme")
    settings = Template((HERE / "zensical.toml").read_text(encoding="utf-8")).substitute(
        language=language,
        description=spoken(
            ("Networks from layers you can read. Gradients you can check.", "看得懂的层，验得了的梯度。"), language
        ),
        source=json.dumps(str(ROOT / "src")),
        navigation=_toml(pages.navigation),
        english="" if language == "en" else "../",
        chinese="zh/" if language == "en" else "",
    )
    (work / "zensical.toml").write_text(settings, encoding="utf-8")
    command = [sys.executable, "-m", "zensical", "build", "--strict", "--clean", "--config-file", "zensical.toml"]
    done = subprocess.run(command, cwd=work, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    if done.returncode:
        sys.exit(f"{done.stdout}\nerror: the {language} pages were not built; they are in {work}")
    shutil.move(work / "site", target)
    return pages.sources


def _toml(entries: list[object]) -> str:
    """Navigation as TOML: a place, or {title = entries}."""
    parts = [
        json.dumps(entry, ensure_ascii=False)
        if isinstance(entry, str)
        else "{ " + ", ".join(f"{json.dumps(k, ensure_ascii=False)} = {_value(v)}" for k, v in entry.items()) + " }"
        for entry in entries
    ]
    return "[" + ", ".join(parts) + "]"


def _value(entry: object) -> str:
    return json.dumps(entry, ensure_ascii=False) if isinstance(entry, str) else _toml(entry)


if __name__ == "__main__":
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "build" / "site").resolve()
    try:
        build(folder)
    except ValueError as error:
        sys.exit(f"error: {error}")
    print(f"built {folder}: python -m http.server --directory {folder}")
