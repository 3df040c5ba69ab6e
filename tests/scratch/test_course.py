"""The course's chapters: scripts as learners type them (tests/scratch/course), run unmodified by `chainrule run`.

They are started from another folder, without a display, and use every name of the course. CHAINRULE_COURSE=whole
trains the convolutional networks for all of the book's 20 epochs (20 minutes), otherwise only for a few.
"""

import os
import pickle
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

COURSE = Path(__file__).parent / "course"
WHOLE = os.environ.get("CHAINRULE_COURSE") == "whole"
NAMES = re.findall(
    r"\w+",
    """
    identity_function step_function sigmoid sigmoid_grad relu relu_grad softmax sum_squared_error
    cross_entropy_error softmax_loss mean_squared_error identity cross_entropy numerical_gradient
    numerical_gradient_2d _numerical_gradient_1d numerical_diff Relu Sigmoid Affine SoftmaxWithLoss Dropout
    BatchNormalization Convolution Pooling mask out W b x original_x_shape dW db loss y t dropout_ratio dgamma
    dbeta running_mean running_var input_shape batch_size xc xn std col col_W arg_max train_flg momentum stride
    pad pool_h pool_w smooth_curve shuffle_dataset conv_output_size im2col col2im SGD Momentum Nesterov AdaGrad
    RMSprop RMSProp Adam lr decay_rate alpha alpha1 alpha2 decay v h iter MultiLayerNet MultiLayerNetExtend
    input_size hidden_size_list output_size activation weight_init_std weight_decay_lambda use_dropout
    dropout_ration use_batchnorm params layers last_layer predict accuracy gradient Trainer epochs
    mini_batch_size optimizer optimizer_param evaluate_sample_num_per_epoch verbose train_step train
    train_loss_list train_acc_list test_acc_list current_iter current_epoch max_iter iter_per_epoch load_mnist
    normalize flatten one_hot_label url_base key_file dataset_dir save_file train_num test_num img_dim img_size
    download_mnist init_mnist _download _load_label _load_img _convert_numpy _change_one_hot_label get_data
    """,
)


@pytest.fixture(scope="module")
def course(tmp_path_factory) -> Path:
    """Copy the scripts to one folder; later ones find what earlier ones wrote."""
    return shutil.copytree(COURSE, tmp_path_factory.mktemp("course") / "book")


@pytest.fixture
def run(course, chainrule, tmp_path):
    """Run one of the scripts from another folder and return its output."""

    def script(name: str, *arguments: object) -> list[str]:
        without = {"DISPLAY": "", "WAYLAND_DISPLAY": ""}
        folder = course / Path(name).parent
        for old in folder.glob("*-[0-9]*.png"):
            old.unlink()
        told = chainrule("run", course / name, *arguments, cwd=tmp_path, environment=without)
        assert told.returncode == 0, told.stderr
        assert "Warning" not in told.stderr
        for figure in re.findall(r"^figure: (.*)$", told.stderr, re.MULTILINE):
            assert Path(figure).read_bytes().startswith(b"\x89PNG")
            assert Path(figure).parent == folder
        expected = (course / name).read_text().count("show()")
        assert len(list(folder.glob("*-[0-9]*.png"))) == expected or "def img_show" in (course / name).read_text()
        return told.stdout.splitlines()

    return script


def numbers(lines: list[str]) -> dict[str, float]:
    """Parse lines of `name:number`."""
    return {name: float(value) for name, _, value in (line.rpartition(":") for line in lines)}


def test_every_name_of_the_course_is_used():
    text = "\n".join(path.read_text() for path in COURSE.rglob("*.py"))
    missing = [name for name in NAMES if not re.search(rf"\b{re.escape(name)}\b", text)]
    assert missing == []


def test_ch01_and_ch02(run, course):
    assert run("ch01/plots.py") == ["Initialized!", "Hello David!"]
    assert [line[-1] for line in run("ch02/xor_gate.py")] == ["0", "1", "1", "0"]


@pytest.mark.long
def test_pictures_of_the_book_are_opened_where_they_are_and_missed_by_name(run, course, chainrule):
    told = chainrule("run", course / "ch01" / "img_show.py", environment={"DISPLAY": "", "WAYLAND_DISPLAY": ""})
    assert told.returncode == 1
    assert "this file comes from the book's repository" in told.stderr
    from PIL import Image

    (course / "dataset").mkdir()
    Image.fromarray(np.arange(64 * 64 * 3, dtype=np.uint8).reshape(64, 64, 3)).save(course / "dataset" / "lena.png")
    assert run("ch01/img_show.py") == []
    shutil.rmtree(course / "dataset")


@pytest.mark.long
def test_ch03(run, course):
    assert run("ch03/functions_plot.py") == ["0.0975 0.0975 0.5108", "[0.018 0.245 0.737] 0.306"]
    lines = run("ch03/dataset_names.py")
    assert lines[2:4] == [
        "True True mnist.pkl",
        f"60000 10000 (1, 28, 28) 784 {['test_img', 'test_label', 'train_img', 'train_label']}",
    ]
    assert lines[5] == "True [7 2 1 0 4]"
    assert run("ch03/mnist_show.py") == ["5", "(784,)", "(28, 28)"]
    rng = np.random.default_rng(0)
    sizes = (784, 50, 100, 10)
    weights = {f"W{i}": rng.standard_normal(sizes[i - 1 : i + 1]).astype(np.float32) for i in (1, 2, 3)}
    weights |= {f"b{i}": np.zeros(sizes[i], np.float32) for i in (1, 2, 3)}
    (course / "ch03" / "sample_weight.pkl").write_bytes(pickle.dumps(weights, 3))
    accuracy, one = run("ch03/neuralnet_mnist_batch.py")
    assert 0.02 < float(accuracy.removeprefix("Accuracy:")) < 0.3  # with random weights
    assert one.endswith(" (10,)")


@pytest.mark.long
def test_ch04(run):
    first, second, third = run("ch04/gradient_2d.py")
    assert first == "0.1999999999990898"  # as in the book
    assert second == "[6. 8.]"
    assert re.fullmatch(r"\[-?\d\.\d+e-10 +\d\.\d+e-10\]", third)
    assert run("ch04/gradient_simplenet.py") == ["(2, 3) True"]
    lines = run("ch04/train_neuralnet.py", 3000)
    assert float(lines[-1].split()[1]) >= 0.89  # 0.9465 after 10,000


def test_ch05(run):
    assert run("ch05/buy_apple_orange.py") == ["price: 715", "dApple: 2.2", "dApple_num: 110", "dTax: 650"]
    assert all(error < 1e-6 for error in numbers(run("ch05/gradient_check.py")).values())
    assert run("ch05/attributes.py")[0] == "(4, 2, 6, 6) True (4, 5) [0 1 2 3]"


@pytest.mark.long
def test_ch05_reaches_96_percent_in_10000_steps(run):
    lines = run("ch05/train_neuralnet.py")
    assert len(lines) == 18  # one per epoch, and the final one
    assert float(lines[-1].split()[1]) >= 0.96


@pytest.mark.long
def test_ch06_optimizers(run):
    lines = run("ch06/optimizer_compare_naive.py")
    assert all(line.endswith(" True") for line in lines[:7])
    assert lines[7] == "['x', 'y'] ['x', 'y'] 30"
    losses = numbers(run("ch06/optimizer_compare_mnist.py", 400))
    assert losses["SGD"] > 1.5 * max(losses["Momentum"], losses["AdaGrad"], losses["Adam"])
    lines = run("ch06/trainer_with_each_optimizer.py")
    assert [line.split()[0] for line in lines] == ["SGD", "Momentum", "Nesterov", "AdaGrad", "RMSprop", "Adam"]
    assert all(
        " 160 20.0 161 9 True SoftmaxWithLoss ['Affine1', 'BatchNorm1', 'Activation_function1', 'Dropout1']" in line
        for line in lines
    )


@pytest.mark.long
def test_ch06_initial_weights_and_batch_normalization(run):
    losses = numbers(run("ch06/weight_init_compare.py", 500))
    assert losses["std=0.01"] > 2.2
    assert 1.5 > losses["Xavier"] > losses["He"]
    assert all(error < 1e-5 for error in numbers(run("ch06/batch_norm_gradient_check.py")).values())
    for line in run("ch06/batch_norm_test.py"):
        _, plain, normalized = map(float, line.split())
        assert plain < 0.4
        assert normalized > 0.8


@pytest.mark.long
def test_ch06_overfitting_and_hyperparameters(run):
    (_, plain, plain_test), (_, decayed, decayed_test) = (
        map(float, line.split()) for line in run("ch06/overfit_weight_decay.py")
    )
    assert plain == 1
    assert plain - plain_test > 1.3 * (decayed - decayed_test)
    (_, count, plain, _), (_, _, dropped, _) = (line.split() for line in run("ch06/overfit_dropout.py", 101))
    assert count == "101"
    assert float(dropped) < 0.9 * float(plain)
    lines = run("ch06/hyperparameter_optimization.py", 12)
    best = [float(re.search(r"val acc:([\d.]+)", line)[1]) for line in lines]
    assert best == sorted(best, reverse=True)
    assert best[0] > 0.5


@pytest.mark.long
def test_ch07_the_simple_convolutional_network_reaches_98_5_percent(run, course):
    assert all(error < 1e-4 for error in (float(line.split()[1]) for line in run("ch07/gradient_check.py")))
    lines = run("ch07/train_convnet.py", 20 if WHOLE else 8)
    assert float(lines[-2].removeprefix("test acc:")) >= 0.985
    assert (course / "ch07" / "params.pkl").is_file()
    from PIL import Image

    (course / "dataset").mkdir()
    Image.fromarray(np.arange(64 * 48, dtype=np.uint8).reshape(64, 48)).save(course / "dataset" / "lena_gray.png")
    assert run("ch07/apply_filter.py") == ["(60, 44) 60.0", "float64 (1, 1, 64, 48) (2640, 25) (25, 1)"]


@pytest.mark.long
def test_ch08_the_deep_network_and_half_precision(run):
    lines = run("ch08/train_deepnet.py", 20 if WHOLE else 1)
    assert float(lines[-2].removeprefix("test acc:")) >= (0.99 if WHOLE else 0.965)
    _, whole, _, half = run("ch08/half_float_network.py")
    assert float(whole) > 0.95
    assert abs(float(whole) - float(half)) < 0.003
    lines = run("ch08/misclassified_mnist.py")
    assert re.match(r"test accuracy:0\.9[789]", lines[1])
    assert re.match(r"\{1: \(np.uint8\(\d\), np.int64\(\d\)\), ", lines[-1])


@pytest.mark.long
def test_the_chinese_course(run):
    lines = run("zh/train_digits.py")
    assert lines[0].startswith("(60000, 784) (10000, 784) (60000,) 3 6.0")
    assert float(lines[1].split()[1]) > 0.89
    assert lines[2] == "True 1.0"


@pytest.mark.parametrize(
    "script",
    [
        pytest.param("ch04/train_neuralnet.py 2", marks=pytest.mark.long),
        "ch05/gradient_check.py",
        "ch05/attributes.py",
        "ch05/buy_apple_orange.py",
        "ch06/batch_norm_gradient_check.py",
        pytest.param("ch06/weight_init_compare.py 2", marks=pytest.mark.long),
        pytest.param("ch07/gradient_check.py", marks=pytest.mark.long),
    ],
)
def test_the_check_finds_nothing_wrong_with_the_course(course, chainrule, script):
    name, *arguments = script.split()
    told = chainrule("run", "--check", course / name, *arguments)
    assert told.returncode == 0, told.stdout
    assert told.stdout.splitlines()[-1].startswith("every backward pass is the derivative of")
    assert len(re.findall(r" ok$", told.stdout, re.MULTILINE)) >= 4
