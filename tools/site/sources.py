"""Source files as pages with numbered lines, so that the documentation can link to a line."""

from collections.abc import Sequence
from html import escape
from itertools import chain
from pathlib import Path

from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import TextLexer, get_lexer_for_filename
from pygments.util import ClassNotFound

__all__ = ["write_sources"]

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{name} - chainrule</title>
<link rel="stylesheet" href="{up}source.css">
<link rel="icon" href="{up}../assets/images/favicon.png">
</head>
<body>
<header><a href="{up}../index.html">chainrule</a> <span aria-hidden="true">/</span> <b>{name}</b></header>
<main>{code}</main>
</body>
</html>
"""
_STYLE = """
:root { color-scheme: light dark; --paper: #fff; --ink: #1f2328; --faint: #59636e; }
@media (prefers-color-scheme: dark) { :root { --paper: #0d1117; --ink: #e6edf3; --faint: #9198a1; } }
body { margin: 0; background: var(--paper); color: var(--ink); font: 14px/1.5 ui-monospace, monospace; }
header { padding: 0.75rem 1rem; border-bottom: 1px solid #8886; font-family: system-ui, sans-serif; }
a { color: inherit; }
main { overflow-x: auto; padding: 0.5rem 1rem; }
pre { margin: 0; }
.linenos, a .linenos { color: var(--faint); text-decoration: none; margin-right: 1.5em; user-select: none; }
pre a { text-decoration: none; }
span[id]:target { background: #f2cc6055; scroll-margin-top: 30vh; }
"""


def write_sources(paths: Sequence[Path], root: Path, folder: Path) -> None:
    """Write each file under `root` as folder/PATH.html, with the line anchors #L1, #L2, ...

    A folder becomes the list of the files in it, folder/PATH/index.html.
    """
    light = HtmlFormatter(style="default")
    dark = HtmlFormatter(style="github-dark")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "source.css").write_text(
        light.get_style_defs("main")
        + "\n@media (prefers-color-scheme: dark) {\n"
        + dark.get_style_defs("main")
        + "\n}\n"
        + _STYLE,
        encoding="utf-8",
    )
    formatter = HtmlFormatter(linenos="inline", linespans="L", anchorlinenos=False)
    listed = {path: sorted(filter(_is_text, path.iterdir())) for path in paths if path.is_dir()}
    for path, files in listed.items():
        name = path.relative_to(root).as_posix()
        rows = "".join(f'<li><a href="{escape(file.name)}.html">{escape(file.name)}</a></li>' for file in files)
        _write(folder / name / "index.html", f"{name}/", name.count("/") + 1, f"<ul>{rows}</ul>")
    for path in sorted({*paths, *chain.from_iterable(listed.values())} - listed.keys()):
        name = path.relative_to(root).as_posix()
        text = path.read_text(encoding="utf-8")
        try:
            lexer = get_lexer_for_filename(path.name)
        except ClassNotFound:
            lexer = TextLexer()
        code = highlight(text, lexer, formatter).replace('id="L-', 'id="L')
        _write(folder / f"{name}.html", name, name.count("/"), code)


def _is_text(path: Path) -> bool:
    return path.is_file() and path.suffix in {".py", ".md", ".toml", ".json", ".csv", ".cpp", ".hpp"}


def _write(target: Path, name: str, depth: int, code: str) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(_PAGE.format(name=escape(name), up="../" * depth, code=code), encoding="utf-8")
