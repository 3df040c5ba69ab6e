"""Native kernels with invalid arguments: they answer or refuse, and the thread team keeps working."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from chainrule import kernels

pytestmark = pytest.mark.skipif(not kernels.NATIVE, reason="no native kernels were compiled here")

NONE = ((0, 0), (0, 0))
SQUARE = np.ones((1, 1, 4, 4), np.float32)


def test_a_share_of_the_campaign():
    ran = subprocess.run(
        [sys.executable, "-W", "ignore", str(Path(__file__).with_name("hostile.py")), "3000"],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "3,000 calls, 0 findings" in ran.stdout


@pytest.mark.parametrize(
    "shape", [(1, 1, 2**40, 2**40), (1, 1, -8, 8), (-1, 1, 8, 8), (1, 2**62, 8, 8), (1, 1, 2**63 - 1, 8)]
)
def test_shapes_whose_product_overflows_are_refused(shape):
    with pytest.raises(ValueError, match="axes must have 0 to"):
        kernels.max_pool_backward(SQUARE, np.zeros(SQUARE.shape, np.uint8), shape, (1, 1), (2**31, 2**31), NONE)
    with pytest.raises(ValueError, match="axes must have 0 to"):
        kernels.avg_pool_backward(SQUARE, shape, (1, 1), (2**31, 2**31), NONE)


def test_windows_and_paddings_that_no_memory_holds_are_refused():
    x, dy, far = SQUARE[..., :1, :1], SQUARE[..., :2, :2], ((2**30, 2**30), (2**30, 2**30))
    with pytest.raises(ValueError, match="too large"):
        kernels.conv_weight_gradient(x, dy, (1, 1, 2**31, 2**31), (1, 1), far, 1)
    with pytest.raises(ValueError, match="too large"):
        kernels.conv_forward(x, SQUARE[..., :2, :2], None, (1, 1), ((2**31, 2**31), (2**31, 2**31)), 1)


@pytest.mark.parametrize("place", [4, 77, 255])
def test_places_that_were_written_over_stay_within_the_image(place):
    rng = np.random.default_rng(0)
    dy = rng.standard_normal((3, 2, 5, 5)).astype(np.float32)
    places = np.full(dy.shape, place, np.uint8)
    assert not kernels.max_pool_backward(dy, places, (3, 2, 10, 10), (2, 2), (2, 2), NONE)[:, :, 5:].any() or place < 4
    x, W = rng.standard_normal((2, 1, 8, 8)).astype(np.float32), rng.standard_normal((3, 1, 3, 3)).astype(np.float32)
    around = ((1, 1), (1, 1))
    y, right = kernels.conv_relu_pool_forward(x, W, np.zeros(3, np.float32), (1, 1), around, 1)
    wrong = np.full_like(right, place)
    dW, db = kernels.conv_relu_pool_weight_gradient(x, np.ones_like(y), y, wrong, W.shape, (1, 1), around, 1)
    dx = kernels.conv_relu_pool_input_gradient(np.ones_like(y), y, wrong, W, x.shape, (1, 1), around, 1)
    assert np.isfinite(dW).all()
    assert np.isfinite(db).all()
    assert np.isfinite(dx).all()


OUT_OF_MEMORY = """
import resource
import numpy as np
from chainrule import kernels

x, W, b = np.ones((2, 1, 1024, 1024), np.float32), np.ones((4, 1, 5, 5), np.float32), np.zeros(4, np.float32)
options = (1, 1), ((2, 2), (2, 2)), 1
kernels.conv_forward(x[:, :, :64, :64], W, b, *options)  # the team is there
with open("/proc/self/status") as file:
    used = next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmSize"))
refused = 0
for more in (1, 5, 20, 33, 36, 40):  # once it succeeds, its memory is kept for the next
    resource.setrlimit(resource.RLIMIT_AS, (used + more * 2**20, resource.RLIM_INFINITY))
    try:
        kernels.conv_forward(x, W, b, *options)
    except MemoryError:
        refused += 1
resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
print(refused, kernels.conv_forward(x, W, b, *options)[0, 0, 512, 512])
"""


@pytest.mark.skipif(
    sys.platform != "linux" or "LD_PRELOAD" in os.environ,
    reason="memory is limited as Linux does, which a sanitizer does not bear",
)
def test_a_team_that_runs_out_of_memory_says_so_and_goes_on():
    ran = subprocess.run([sys.executable, "-c", OUT_OF_MEMORY], capture_output=True, text=True, check=False, timeout=60)
    assert ran.returncode == 0, ran.stderr
    refused, value = ran.stdout.split()
    assert int(refused) >= 3
    assert float(value) == 25
