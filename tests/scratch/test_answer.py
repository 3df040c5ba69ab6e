"""Which `common` and `dataset` a script gets: the learner's where one would look for it, otherwise chainrule's."""

import os
import sys
from pathlib import Path

import numpy as np
import pytest

from chainrule.scratch.answer import COURSE, answering

MINE = "Relu = 'mine'\n"


@pytest.fixture
def book(tmp_path):
    """Writes files of a repository (path -> text) and returns its script ch05/train.py."""

    def write(files: dict[str, str]) -> Path:
        (tmp_path / ".git").mkdir()
        for name, text in {"ch05/train.py": "", **files}.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text)
        return tmp_path / "ch05" / "train.py"

    return write


def found(script: Path, code: str, ours: bool = False) -> tuple[dict, str]:
    """Return what a script's imports resolve to, and the message about them."""
    names: dict = {}
    with answering(script, ours) as course:
        exec(code, names)
        return names, course.whose()


def is_ours(thing: object) -> bool:
    return getattr(thing, "__module__", "").startswith("chainrule.scratch")


LAYOUTS = {
    "beside the script": ("ch05/common/layers.py", ""),
    "the book's": ("common/layers.py", "import os, sys\nsys.path.append(os.pardir)\n"),
    "the book's, without a word": ("common/layers.py", ""),
    "somewhere added": ("lib/mine/common/layers.py", "import sys\nsys.path.append({root!r} + '/lib/mine')\n"),
    "somewhere inserted": ("lib/mine/common/layers.py", "import sys\nsys.path.insert(0, {root!r} + '/lib/mine')\n"),
}


@pytest.mark.parametrize("package", [True, False])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_learners_layers_are_used(book, tmp_path, monkeypatch, layout, package):
    place, start = LAYOUTS[layout]
    script = book({place: MINE, **({str(Path(place).with_name("__init__.py")): ""} if package else {})})
    monkeypatch.setattr(sys, "path", list(sys.path))
    for working in (script.parent, tmp_path):
        monkeypatch.chdir(working)
        names, said = found(script, start.format(root=str(tmp_path)) + "from common.layers import Relu")
        assert names["Relu"] == "mine"
        assert said == f"common.layers: yours, in {(tmp_path / place).parent}"
    names, said = found(script, "from common.layers import Relu", ours=True)
    assert is_ours(names["Relu"])
    assert said == "common.layers: chainrule's"


def test_deep_within_a_repository_and_no_further(book, tmp_path):
    files = {"common/layers.py": MINE, "a/b/c/train.py": "", "inner/.git/HEAD": "", "inner/ch01/train.py": ""}
    book(files)
    assert found(tmp_path / "a/b/c/train.py", "from common.layers import Relu")[0]["Relu"] == "mine"
    assert is_ours(found(tmp_path / "inner/ch01/train.py", "from common.layers import Relu")[0]["Relu"])


def test_a_path_that_pythonpath_adds(tmp_path, chainrule):
    (tmp_path / "lib" / "common").mkdir(parents=True)
    (tmp_path / "lib" / "common" / "layers.py").write_text(MINE)
    (tmp_path / "alone").mkdir()
    script = tmp_path / "alone" / "train.py"
    (script.parent / ".git").mkdir()
    script.write_text("from common.layers import Relu; print(Relu)")
    told = chainrule("run", script, environment={"PYTHONPATH": str(tmp_path / "lib")})
    assert told.stdout == "mine\n", told.stderr
    assert "chainrule" in chainrule("run", script).stdout


def test_what_is_installed_loses(tmp_path, monkeypatch, book):
    installed = tmp_path / "env" / "site-packages"
    script = book({"env/site-packages/common/__init__.py": "", "env/site-packages/common/layers.py": MINE})
    monkeypatch.setattr(sys, "path", [str(installed), *sys.path])
    assert is_ours(found(script, "from common.layers import Relu")[0]["Relu"])


def test_what_an_own_package_lacks_is_ours(book):
    script = book(
        {
            "common/__init__.py": "from .layers import Relu\n",
            "common/layers.py": "from .functions import *\nfrom common.gradient import numerical_gradient\n" + MINE,
            "dataset/pictures.txt": "",
        }
    )
    code = "from common.layers import *\nfrom common import Relu as again\nfrom dataset.mnist import load_mnist\n"
    names, said = found(script, code)
    assert (names["Relu"], names["again"]) == ("mine", "mine")
    assert all(is_ours(names[name]) for name in ("softmax", "numerical_gradient", "load_mnist"))
    root = script.parents[1]
    assert said == (
        f"common.layers: yours, in {root / 'common'}; common.functions, common.gradient, dataset.mnist: chainrule's"
    )


def test_a_package_in_two_places_and_a_file_beside_it(book):
    """The nearest file of each name wins, as one would expect; a `common.py` with another purpose does no harm."""
    script = book(
        {"ch05/common.py": "x = 1", "common/__init__.py": "", "common/layers.py": MINE, "dataset.py": "y = 2"}
    )
    code = "import common, dataset\nfrom common.layers import Relu\nfrom dataset.mnist import load_mnist\n"
    names, _ = found(script, code)
    assert (names["common"].x, names["dataset"].y, names["Relu"]) == (1, 2, "mine")
    assert is_ours(names["load_mnist"])


LAYERS = """\
import numpy as np
from common.functions import *
class Affine:
    def __init__(self, W, b):
        self.W, self.b = W, b
    def forward(self, x):
        self.x = x
        return 2 * (x @ self.W + self.b)
    def backward(self, dout):
        self.dW, self.db = 2 * self.x.T @ dout, 2 * dout.sum(axis=0)
        return 2 * dout @ self.W.T
"""


def test_what_is_ours_is_built_of_what_is_theirs(book):
    """Their Affine in our MultiLayerNet, which uses our other layers; their loss in our SoftmaxWithLoss."""
    script = book({"common/layers.py": LAYERS})
    names, _ = found(
        script,
        "from common.multi_layer_net import MultiLayerNet\nfrom common.trainer import Trainer\n"
        "import numpy as np\nnp.random.seed(0)\nnet = MultiLayerNet(4, [3], 2)\n"
        "x, t = np.random.randn(5, 4), np.array([0, 1, 0, 1, 1])\n"
        "slow, fast = net.numerical_gradient(x, t), net.gradient(x, t)\n",
    )
    layers = names["net"].layers
    assert not is_ours(type(layers["Affine1"]))
    assert is_ours(type(layers["Activation_function1"]))
    assert is_ours(names["Trainer"])
    for key, expected in names["slow"].items():
        np.testing.assert_allclose(names["fast"][key], expected, rtol=1e-3)  # the loss adds 1e-7 to p
    names, _ = found(script, "from common.multi_layer_net import *\nnet = MultiLayerNet(4, [3], 2)", ours=True)
    assert is_ours(type(names["net"]))
    assert is_ours(type(names["net"].layers["Affine1"]))


def test_their_loss_is_in_our_layer(book):
    script = book({"common/functions.py": "def cross_entropy_error(y, t):\n    return 42.0\n"})
    names, _ = found(
        script,
        "import numpy as np\nfrom common.layers import *\n"
        "loss = SoftmaxWithLoss().forward(np.zeros((1, 2)), np.array([0]))\n",
    )
    assert names["loss"] == names["cross_entropy_error"](0, 0) == 42.0
    assert is_ours(names["softmax"])


def test_other_chapters_are_found_from_any_working_directory(book, monkeypatch, tmp_path):
    """The book's `sys.path.append(os.pardir)` refers to the folder above the one where Python was started."""
    script = book(
        {"ch04/two_layer.py": "net = 'mine'", "ch03/relu.py": "y = 3", "pictures/a.png": "", "json/mine.py": ""}
    )
    monkeypatch.chdir("/")
    monkeypatch.setattr(sys, "path", [*sys.path, "../ch03"])
    names, _ = found(script, "import json\nfrom ch04.two_layer import net\nfrom relu import y\n")
    assert (names["net"], names["y"]) == ("mine", 3)
    assert hasattr(names["json"], "dumps")
    with pytest.raises(ModuleNotFoundError):
        found(script, "import pictures")
    for name in ("ch04", "ch04.two_layer", "relu"):
        del sys.modules[name]


def test_ours_leaves_what_we_do_not_have(book):
    script = book({"common/layers.py": MINE, "common/plotting.py": "draw = 'mine'"})
    names, _ = found(script, "from common.layers import Relu\nfrom common.plotting import draw", ours=True)
    assert is_ours(names["Relu"])
    assert names["draw"] == "mine"


def test_answers_end_with_the_block(tmp_path):
    with answering(tmp_path / "x.py"):
        import common.layers

        assert common.layers.Relu.__module__ == "chainrule.scratch.layers"
    assert not any(name.split(".")[0] in ("common", "dataset") for name in sys.modules)
    with pytest.raises(ModuleNotFoundError):
        import common.layers


def test_every_module_of_the_course_is_there(tmp_path):
    for name in COURSE:
        _, said = found(tmp_path / "x.py", f"import {name}")
        assert said == f"{name}: chainrule's"


def run(chainrule, script: Path, text: str, *options: str):
    script.write_text(text)
    return chainrule("run", *options, script, environment={"PYTHONPATH": os.environ.get("PYTHONPATH", "")})


def test_whose_is_said_in_one_line_before_the_work_begins(book, chainrule):
    script = book({"common/layers.py": MINE})
    told = run(
        chainrule,
        script,
        "import sys\nfrom common.layers import Relu\nimport dataset.mnist\nprint('work', file=sys.stderr)\n"
        "def later():\n    import common.util\nlater()\n",
    )
    assert told.stderr.splitlines() == [
        f"common.layers: yours, in {script.parents[1] / 'common'}; dataset.mnist: chainrule's",
        "work",
        "common.util: chainrule's",
    ]


FAILURES = [
    (
        {"common/layers.py": "Rello = 1"},
        "from common.layers import Relo",
        "{root}/common/layers.py has no Relo: did you mean Rello?",
    ),
    (
        {"common/layers.py": "x = 1\ny = 2\n_z = 3"},
        "from common.layers import Relu",
        "{root}/common/layers.py has no Relu: choose from x, y; chainrule's common.layers has Relu: "
        "`chainrule run --ours` uses it",
    ),
    ({}, "from common.layers import Rleu", "chainrule's common.layers has no Rleu: did you mean Relu?"),
    (
        {"common/mine.py": ""},
        "import common.minne",
        "common.minne is neither in {root}/common nor one of chainrule's modules: did you mean common.mine?",
    ),
    (
        {},
        "import common.layer",
        "common.layer is not one of chainrule's modules: did you mean common.layers or common.time_layers?",
    ),
    (
        {},
        "from dataset import zzz",
        "dataset.zzz is not one of chainrule's modules: choose from mnist, ptb, sequence, spiral",
    ),
    (
        {"dataset/a.csv": ""},
        "from dataset import minst",
        "dataset.minst is neither in {root}/dataset nor one of chainrule's modules: did you mean dataset.mnist?",
    ),
]


@pytest.mark.parametrize(("files", "code", "expected"), FAILURES)
def test_an_import_that_fails_says_what_was_looked_at(book, chainrule, files, code, expected):
    script = book(files)
    told = run(chainrule, script, code)
    assert told.returncode == 1
    lines = told.stderr.splitlines()
    assert expected.format(root=script.parents[1]) in lines, told.stderr
    assert lines[0].startswith("Traceback")


def test_an_own_dataset_that_gets_no_data_is_told_what_helps(book, chainrule):
    text = "import urllib.request\ndef load_mnist():\n    urllib.request.urlopen('http://127.0.0.1:9/mnist.gz')\n"
    script = book({"dataset/mnist.py": text})
    code = "from dataset.mnist import load_mnist\nprint(len(load_mnist()))"
    told = run(chainrule, script, code)
    assert told.returncode == 1
    assert f"{script.parents[1] / 'dataset' / 'mnist.py'} is yours and could not get its data" in told.stderr
    assert "chainrule run --ours" in told.stderr
    assert run(chainrule, script, code, "--ours").stdout == "2\n"


def test_mnist_that_an_own_dataset_downloads_is_at_hand_where_the_network_is_not(book, chainrule):
    """Both ways in which the book's module has downloaded its files, and the error for any other file."""
    text = """\
import gzip, urllib.request
import numpy as np
BASE = "http://127.0.0.1:9/"
def load_mnist():
    urllib.request.urlretrieve(BASE + "t10k-labels-idx1-ubyte.gz", "labels.gz")
    request = urllib.request.Request(BASE + "train-labels-idx1-ubyte.gz", headers={"User-Agent": "x"})
    content = gzip.decompress(urllib.request.urlopen(request).read())
    with gzip.open("labels.gz") as file:
        return np.frombuffer(content, np.uint8, offset=8), np.frombuffer(file.read(), np.uint8, offset=8)
"""
    script = book({"dataset/mnist.py": text})
    code = (
        "import os; os.chdir(os.path.dirname(__file__))\nfrom dataset.mnist import load_mnist\n"
        "train, test = load_mnist()\nprint(len(train), train[:3], len(test), test[:3])\n"
    )
    told = run(chainrule, script, code)
    assert told.stdout == "60000 [5 0 4] 10000 [7 2 1]\n", told.stderr
    for name in ("train", "t10k"):
        assert f"using chainrule's own {name}-labels-idx1-ubyte.gz" in told.stderr


def test_the_lessons_pickle_is_there_when_a_script_asks_for_it(tmp_path, chainrule):
    (tmp_path / "train.py").write_text(
        "import os, pickle\nfrom dataset import mnist\nfrom dataset.mnist import save_file, init_mnist, dataset_dir\n"
        "if not os.path.exists(save_file): init_mnist()\n"
        "with open(mnist.save_file, 'rb') as file: data = pickle.load(file)\n"
        "print({key: value.shape for key, value in data.items()}, os.path.dirname(save_file) == dataset_dir)\n"
    )
    told = chainrule("run", tmp_path / "train.py", environment={"CHAINRULE_CACHE": str(tmp_path / "cache")})
    shapes = {"train_img": (60000, 784), "train_label": (60000,), "test_img": (10000, 784), "test_label": (10000,)}
    assert told.stdout == f"{shapes} True\n", told.stderr
    assert (tmp_path / "cache" / "course" / "mnist.pkl").is_file()
