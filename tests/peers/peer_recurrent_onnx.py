"""RNN, LSTM and GRU as PyTorch exports them, with both of its exporters: the imported network computes the same."""

import numpy as np
import pytest
import torch
from torch import nn

from chainrule.errors import ModelFileError
from chainrule.io.onnx_import import import_onnx

pytestmark = pytest.mark.filterwarnings("ignore")  # warnings from the exporters


class Reader(nn.Module):
    """A recurrence, and a linear layer behind all states, the last y, the last state, or those of both ways."""

    def __init__(self, recurrence: nn.Module, use: str) -> None:
        super().__init__()
        self.recurrence, self.use = recurrence, use
        ways = 1 + recurrence.bidirectional * (use in ("all", "both"))
        self.linear = nn.Linear(ways * recurrence.hidden_size, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y, state = self.recurrence(x)
        h = state[0] if isinstance(state, tuple) else state
        uses = {"all": lambda: y, "last": lambda: y[:, -1], "state": lambda: h[-1]}
        uses["both"] = lambda: torch.cat((h[-2], h[-1]), 1)
        return self.linear(uses[self.use]())


CASES = {
    f"{kind.__name__}-{use}-{layers}{'-both-ways' * both}": (kind, use, layers, both)
    for kind in (nn.RNN, nn.LSTM, nn.GRU)
    for use, layers, both in (
        ("all", 1, False),
        ("last", 2, False),
        ("state", 2, False),
        ("all", 2, True),
        ("both", 1, True),
    )
}


@pytest.mark.parametrize("dynamo", [False, True])
@pytest.mark.parametrize("name", CASES)
def test_a_recurrence_of_pytorch_is_read(name, dynamo, tmp_path):
    kind, use, layers, both = CASES[name]
    torch.manual_seed(0)
    net = Reader(kind(4, 5, num_layers=layers, bidirectional=both, batch_first=True), use).eval()
    x = torch.randn(2, 7, 4)
    options = {} if dynamo else {"dynamic_axes": {"x": {0: "N"}}}
    torch.onnx.export(net, (x,), tmp_path / "net.onnx", input_names=["x"], dynamo=dynamo, verbose=False, **options)
    if dynamo and kind is nn.RNN:  # that exporter unrolls the steps into products
        with pytest.raises(ModelFileError, match="no layer supports the operators"):
            import_onnx(tmp_path / "net.onnx")
        return
    back = import_onnx(tmp_path / "net.onnx")
    np.testing.assert_allclose(back(x.numpy()), net(x).detach().numpy(), atol=1e-5)


@pytest.mark.parametrize(
    ("recurrence", "told"),
    [
        (nn.RNN(4, 5, batch_first=True, nonlinearity="relu"), "its RNN has activations = relu"),
        (nn.GRU(4, 5), "GRU of a batch that does not come first"),
    ],
)
def test_what_is_not_read_is_named(recurrence, told, tmp_path):
    torch.onnx.export(
        Reader(recurrence, "all").eval(), (torch.randn(2, 7, 4),), tmp_path / "net.onnx", dynamo=False, verbose=False
    )
    with pytest.raises(ModelFileError, match=told):
        import_onnx(tmp_path / "net.onnx")
