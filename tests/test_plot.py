"""`cr.plot`: each picture is one, shows what it is given, and says what it cannot show."""

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import OptionError
from chainrule.training import Evaluation


def is_picture(picture: cr.plot.Picture) -> bool:
    return picture._repr_png_() == picture.png and cr.data.read_gray(picture.png).std() > 1


@pytest.fixture(scope="module")
def trained(small):
    net = cr.Sequential(cr.Flatten(), cr.Scale(1 / 255), cr.Affine(12), cr.ReLU(), cr.Affine(10)).build((1, 28, 28))
    trainer = cr.Trainer(net, loss=cr.SoftmaxCrossEntropy(), optimizer=cr.SGD(0.1))
    for _ in trainer.fit(small[0], validation=small[1], epochs=2):
        pass
    return net, trainer


def test_curves(trained, tmp_path):
    picture = cr.plot.curves(trained[1].history, "two epochs")
    assert is_picture(picture)
    assert [line.get_label() for line in picture.figure.axes[0].lines] == ["training", "validation"]
    picture.save(tmp_path / "curves.png")
    assert (tmp_path / "curves.png").read_bytes() == picture.png
    with pytest.raises(OptionError, match="no epoch to draw: train first"):
        cr.plot.curves([])


def test_confusion(trained, small):
    report = cr.evaluate(trained[0], small[1])
    assert is_picture(cr.plot.confusion(report))
    named = cr.plot.confusion(report, "abcdefghij")
    assert [text.get_text() for text in named.figure.axes[0].get_xticklabels()] == list("abcdefghij")
    with pytest.raises(OptionError, match="has 10 classes, got 2 names"):
        cr.plot.confusion(report, "ab")
    with pytest.raises(OptionError, match="no classes"):
        cr.plot.confusion(Evaluation(1.0, None, None, None, 3))


def test_filters(trained):
    net = trained[0]
    picture = cr.plot.filters(net)
    assert len(picture.figure.axes) == 20  # 12 of them with pictures, in rows of 10
    shown = picture.figure.axes[3].images[0].get_array()
    weights = net.parameters["2.Affine.W"].value[:, 3].reshape(28, 28)
    assert np.corrcoef(shown.ravel(), weights.ravel())[0, 1] > 0.999
    conv = cr.Sequential(cr.Conv2D(70, 3), cr.Flatten(), cr.Affine(2)).build((1, 6, 6))
    assert "the first 64 of 70" in cr.plot.filters(conv).figure.get_suptitle()
    assert is_picture(cr.plot.filters(conv, "0.Conv2D.W"))
    with pytest.raises(OptionError, match=r"no parameter 'W': there are 2\.Affine\.W"):
        cr.plot.filters(net, "W")
    with pytest.raises(OptionError, match="b cannot be shown as pictures"):
        cr.plot.filters(net, "2.Affine.b")


def test_gradients(trained, small):
    trace = trained[0].trace(small[0].x[:20], small[0].y[:20])
    picture = cr.plot.gradients(trace)
    axis = picture.figure.axes[0]
    assert axis.get_yscale() == "log"
    assert [text.get_text() for text in axis.get_xticklabels()] == [row.name for row in trace.rows]
    assert is_picture(picture)


def test_reading():
    page = np.full((80, 120, 3), 255, np.uint8)
    assert cr.plot.reading(page, []).figure is None
    digit = cr.vision.Digit("7", 0.9, (20, 20, 50, 60))
    number = cr.vision.Number("7", (digit,), (20, 20, 50, 60), 0.9, True)
    assert is_picture(cr.plot.reading(page, [number]))
