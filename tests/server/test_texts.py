"""The page's texts: every text in both languages, and a formula for every layer."""

import re
from pathlib import Path

import chainrule as cr

TEXT = (Path(cr.__file__).parent / "server" / "page" / "text.js").read_text(encoding="utf-8")
FORMULA = re.compile(r'^  f_(\w+): \[\s*"([^"]+)",\s*"([^"]+)",?\s*\],$', re.MULTILINE)


def test_every_layer_has_a_formula_in_both_languages():
    formulas = {name: texts for name, *texts in FORMULA.findall(TEXT)}
    assert len(formulas) == len(re.findall(r"^  f_", TEXT, re.MULTILINE))  # all texts were read
    layers = {name for name in cr.layers.__all__ if name != "Layer"}
    assert formulas.keys() == layers | {"other"}
    pure = re.compile("[\u4e00-\u9fff]")
    for name, (english, chinese) in formulas.items():
        assert not pure.search(english), name
        assert chinese == english or pure.search(chinese), name
