"""The training data of the network `reader` matches what is on the page."""

import importlib.util
from pathlib import Path

import numpy as np

import chainrule as cr
from pages import make_page

TOOL = Path(__file__).parents[2] / "tools" / "reader_data.py"


def test_digits_of_a_page_are_found_and_labelled():
    spec = importlib.util.spec_from_file_location("reader_data", TOOL)
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    x, y = tool.examples("reader", 1)
    page = make_page(tool.PAGES[1], tool.digits().x[:, 0], tool.digits().y, np.random.default_rng([7, 1]))
    written = np.bincount([int(digit) for number in page.numbers for digit in number], minlength=10)
    found = np.bincount(y, minlength=11)
    assert found[:10].sum() >= 0.9 * written.sum()
    assert (found[:10] <= written).all()
    digits = y < 10
    assert (cr.pretrained("cnn").predict(x[digits][:, None]) == y[digits]).mean() > 0.9
    assert 10 < found[10] <= tool.NONE_A_PAGE
