"""What a notebook shows of each thing: well-formed HTML, everything escaped, no scripts, nothing loaded."""

import base64
import re
from html.parser import HTMLParser

import numpy as np
import pytest

import chainrule as cr
from chainrule import markup
from chainrule.data import Text, TextPreparation
from chainrule.data.tokenizers import Bytes
from chainrule.training import Epoch, History, RangeTest, watch

HOSTILE = '<script>alert("x")</script><b onmouseover=alert(1)>'
TAGS = {"div", "style", "p", "strong", "table", "thead", "tbody", "tr", "th", "td", "span", "br", "img", "figure",
        "figcaption", "svg", "title", "rect", "polyline"}  # fmt: skip
EMPTY = {"br", "img"}


class Strict(HTMLParser):
    """Fails at what a browser would have to guess, load or run; keeps the text."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text = ""

    def handle_starttag(self, tag, attributes):
        assert tag in TAGS
        for name, value in attributes:
            assert not name.startswith("on")
            assert name != "href"
            assert name != "src" or value.startswith("data:image/png;base64,")
        if tag not in EMPTY and not self.get_starttag_text().endswith("/>"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in EMPTY and tag not in {"rect", "polyline"}:
            assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open[-1:] != ["style"]:
            self.text += data + " "
        else:
            assert "url(" not in data
            assert "@import" not in data


def shown(thing) -> str:
    """The text that a notebook shows of it."""
    parser = Strict()
    parser.feed(thing._repr_html_())
    parser.close()
    assert not parser.open
    return parser.text


def epoch(number: int, **changed) -> Epoch:
    values = {
        "number": number,
        "step": 10 * number,
        "train_loss": 1 / number,
        "train_accuracy": 0.8,
        "validation_loss": 0.3,
        "validation_accuracy": 0.9,
        "learning_rate": 0.1,
        "seconds": 1.0,
        "images_per_second": 100.0,
    }
    return Epoch(**values | changed)


@pytest.fixture
def net() -> cr.Sequential:
    return cr.Sequential(cr.Flatten(), cr.Scale(1 / 255), cr.Affine(5), cr.ReLU(), cr.Affine(10)).build((1, 28, 28))


def test_a_network_and_its_summary(net):
    assert shown(net) == shown(net.summary())
    text = shown(net)
    for row in net.summary().rows:
        assert row.layer in text
    assert "3,985 parameters" in text
    assert "not built" in shown(cr.Sequential(cr.Affine(3)))


def test_a_trace_shows_each_layer_and_its_gradients(net, mnist):
    trace = net.trace(mnist[0].x[:8], mnist[0].y[:8])
    text = shown(trace)
    for row in trace.rows:
        assert row.name in text
    assert f"loss {trace.loss:.4f} of 8 samples" in text
    assert trace._repr_html_().count("<svg") == len(trace.rows) + sum(row.dy is not None for row in trace.rows)


def test_a_gradient_check_says_what_is_wrong(net):
    class Wrong(cr.Layer):
        def forward(self, x, *, train=False, rng=None):
            return x * x, x

        def backward(self, dy, cache, *, input_gradient=True):
            return dy * cache

    text = shown(cr.gradcheck(net, batch=2))
    assert "2.Affine.W" in text
    assert "ok: " in text
    assert "WRONG at [" in shown(cr.gradcheck(Wrong(), shape=(3,)))


def test_an_evaluation_shows_its_confusion(net, small):
    report = cr.evaluate(net, small[1])
    text = shown(report)
    for count in report.confusion.ravel():
        assert not count or f"{count:,}" in text
    assert str(report) in text
    many = cr.training.Evaluation(1.0, 0.5, np.eye(60, dtype=int), 0.0, 60)
    assert "predicted" not in shown(many)


def test_a_long_history_is_short():
    history = History(epoch(number) for number in range(1, 201))
    text = shown(history)
    assert "185 epochs after the first 3 are not shown" in text
    assert history._repr_html_().count("<tr>") == 1 + 15
    assert "no epoch yet" in shown(History())
    assert shown(History([epoch(1, validation_loss=None, validation_accuracy=None)])).count("validation") == 1
    assert isinstance(history, list)


def test_numbers_that_are_none_are_told():
    shown(History([epoch(1, train_loss=np.nan), epoch(2, train_loss=np.inf)]))
    assert markup.histogram(np.full(3, np.nan)) == ""
    assert markup.histogram(np.full(3, 2.0)) == "all 2"
    assert "<svg" in markup.histogram(np.array([-1e308, 0, 1e308])) + "<svg"
    assert markup.lines([("loss", [None, 1.0])]) == ""
    shown(RangeTest((0.1, 0.2), (1.0, np.inf), (1.0, 2.0), 0.1))


def test_datasets_show_their_first_samples(mnist):
    text, html = shown(mnist[0]), mnist[0]._repr_html_()
    assert "60,000 samples of shape (1, 28, 28) uint8" in text
    assert html.count("<img") == 12
    png = base64.b64decode(re.search(r"base64,([^\"]+)", html)[1])
    assert np.array_equal(cr.data.read_gray(png), mnist[0].x[0, 0])
    rows = cr.Dataset(np.arange(6.0).reshape(2, 3), np.array([0.5, 1.5]))
    assert "1.5" in shown(rows)
    shown(cr.Dataset(np.full((2, 3, 4, 5), 7.0)))
    shown(cr.Dataset(np.zeros((3, 2, 2, 2, 2)), np.zeros((3, 2))))
    assert "a text" in shown(Text(np.frombuffer(b"a text <b>", np.uint8), TextPreparation(Bytes(), 4)))


def test_names_from_outside_are_escaped(net):
    class Named(cr.Layer):
        def forward(self, x, *, train=False, rng=None):
            return x, None

        def __repr__(self):
            return HOSTILE

    for thing in (
        cr.Dataset(np.zeros((1, 1, 2, 2), np.uint8), np.zeros(1, int), [HOSTILE]),
        cr.Dataset(np.zeros((1, 2)), np.zeros(1, int), [HOSTILE]),
        cr.Sequential(Named()),
        Text(np.frombuffer(HOSTILE.encode(), np.uint8), TextPreparation(Bytes(), 4)),
    ):
        assert HOSTILE in shown(thing).replace(" \n", "")
        assert "<script" not in thing._repr_html_()
    assert HOSTILE not in markup.picture(b"", HOSTILE)


def test_without_a_notebook_a_watched_epoch_is_a_line(capsys):
    assert [one.number for one in watch([epoch(1), epoch(2)])] == [1, 2]
    assert capsys.readouterr().out.splitlines() == [str(epoch(1)), str(epoch(2))]
