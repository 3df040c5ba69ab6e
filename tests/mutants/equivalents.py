"""Equivalent mutants, each with the reason. An equivalent mutant that is not listed here fails `make mutants`."""

import re
from collections.abc import Iterable
from typing import NamedTuple

from mutants.mutate import Mutant
from mutants.trial import Trial

__all__ = ["reason", "unused"]


class Rule(NamedTuple):
    """`subject` and `change` ("before -> after") are regular expressions; both must match."""

    reason: str
    subject: str
    change: str


_LENGTH = re.compile(r"len\((?:\*?[\w.]+(?:\[some\])?)\)")
_SHAPE = re.compile(r"\b[\w.]+\.shape\b")
_LAST = {"axis=-1": "axis=1", "shape[-1]": "shape[1]", "shape[-2]": "shape[2]", "weight_shape[-3]": "weight_shape[3]"}
_LAST |= {"kernel[-1]": "kernel[1]", "stride[-1]": "stride[1]", "output[-1]": "output[1]"}

RULES = [
    Rule(
        "a check lets all right arguments pass; what it refuses, tests/kernels/test_arguments.py tells",
        r"kernels\.reference",
        r"^check_(rows|labels|convolution|pooling)\(",
    ),
    Rule(
        "no layer pools less than a window, nor two rows; tests/kernels/test_arguments.py does both",
        r"conv_relu_pool _below",
        r"^(if min\(size\) < 2: -> if|return np\.zeros\(\(len\(dy\), weight_shape\[0\], \*size\))",
    ),
    Rule(
        "x lies on a bend of the function with probability 0, where either slope is right",
        r"units (Clip\.backward|PReLU\.backward|_elu_slope)",
        r"-> .*(x >= low|x <= high|np\.where\(x >= 0)",
    ),
    Rule(
        "low is self.low wherever that is a bound, as in every row of the catalogue",
        r"units Clip\.backward",
        r"x > low.*-> .*x > self\.low",
    ),
    Rule(
        "a hard sigmoid h is never below 0 nor above 1",
        r"units Hard(Sigmoid|Swish)\.backward",
        r"-> .*(\b[yh] != [01])",
    ),
    Rule(
        "x / 6 is the same with its factors exchanged",
        r"units HardSwish\.backward",
        r"-> h = _hard_sigmoid\(1 / 6, x, 0\.5\)",
    ),
    Rule(
        "the order of the summed axes does not matter, and all three arrays have one rank",
        r"units PReLU\.backward",
        r"-> .*(\(\*range\(2, x\.ndim\), 0\)|range\(2, (dy|dslope)\.ndim\)|_along\((dy|dslope)\))",
    ),
    Rule(
        "the order of the summed axes does not matter, nor that of the numbers of a vector",
        r"norm _OfChannels\.backward",
        r"-> .*(\(\*range\(2, dy\.ndim\), 0\)|order='F')",
    ),
    Rule(
        "dy, h and the root mean square have one rank",
        r"norm RMSNorm\.backward",
        r"-> .*(range\((h|inverse_rms)\.ndim|_over\((dh|h|inverse_rms)\))",
    ),
    Rule(
        "where x > 0 the slope is 1 whatever stands in the other branch",
        r"units _elu_slope",
        r"-> .*(np\.exp\(x\)|np\.minimum\(0, x\)|np\.minimum\(x, 1\))",
    ),
    Rule(
        "a loss is where backpropagation begins: its upstream gradient is 1",
        "softmax|squared|SoftmaxWithLoss",
        r"dout \* \(self.*-> return \(self|return dx \* dout -> return dx( / dout)?$",
    ),
    Rule(
        "the gradient of a loss from above is 1: nothing stands above it",
        r"lesson sequence_loss|SigmoidWithLoss",
        r"\bdout\b.*-> (?!.*\bdout\b)|\* dout -> .*/ dout|-> .*/ dout|dout \* dx -> .*dx / dout",
    ),
    Rule("the last of three axes is the axis 2", "lesson attention", r"sum\(axis=2\) +-> .*sum\(axis=-1\)"),
    Rule(
        "zeros that gradients are added to take their shape",
        "lesson through_time",
        r"-> .*np\.zeros_like\(self\.[db]",
    ),
    Rule(
        "the gradient of a layer that is new is 0 already",
        "layers Embedding|TimeGRU",
        r"^(dW|grad)\[\.\.\.\] = 0 -> (pass|.*\[\.\.\.\] = -?0)$|-> for grad in self\.h:",
    ),
    Rule(
        "labels as indices (N,) or (N, 1) are never more numbers than the scores",
        "layers SoftmaxWithLoss",
        r"self\.t\.size >= self\.y\.size",
    ),
    Rule(
        "the gradient is written over the probabilities, which forward makes anew each time",
        "layers SoftmaxWithLoss",
        r"-> dx = self\.y$",
    ),
    Rule("one axis, or all but one of length 1: there is one order only", "SoftmaxWithLoss|Sigmoid", r"order='F'"),
    Rule("NumPy takes any negative length of reshape as the rest", "", r"reshape\(.*-1\b.* -> .*-2\b"),
    Rule("the kernels make arrays dense by themselves where that matters", "layers ", r"ascontiguousarray\(.* -> pass"),
    Rule("two signs for each hidden layer, its Affine's and its activation's, are none", "MultiLayerNet$", "-layer"),
    Rule(
        "its layers do the same in training and in inference",
        "TwoLayerNet",
        r"forward\(self._rows\(x\)(, train=False)?\)$",
    ),
    Rule("a dx that nobody asked for is computed and dropped", "TwoLayerNet", r"cache(, input_gradient=True)?\)$"),
    Rule("the same numbers, not copied", "TwoLayerNet", r"\(parameter\.grad for"),
    Rule(
        "the lists are equally long, so that nothing is there to be refused",
        "",
        r"strict=True.* -> .*(\)\)|grads\)|parts, caches\)|axis=-1\)\)|strict=False\)+)\]?(:|$)",
    ),
    Rule("zero has no sign", "", r"-> .*-(np\.|_)zeros"),
    Rule(
        "a sum over two axes does not depend on their order",
        "",
        r"axis=\(0, 2(, 3)?\).* -> .*axis=\((2, 0(, 3)?|0, 3, 2)\)",
    ),
    Rule(
        "`view` tells only how many samples there are and how large their windows", "conv_input_gradient", r"-> view = "
    ),
    Rule(
        "at most an axis of length 1 is left out, which is the same in either order of numbers",
        r"conv Conv2D\.backward",
        r"-> self\.W\.grad \+= .*reshape\(self\.W\.shape, order='F'\)",
    ),
    Rule(
        "with a dilation of 1 there is one plain convolution to do, which is the same",
        r"layers\.dilation conv_",
        r"^if dilation == \(1, 1\):",
    ),
    Rule("any split of the batch gives the same", "conv_(input_g|weight_g|f)", r"-> for some in _few_samples"),
    Rule("what is backward of a transposed convolution has no bias", "conv_forward", r"^(y \+= b\[|if b is not)"),
    Rule("all of it is written over", "conv_forward", r"-> y = -np\.empty"),
    Rule("of the two modes nearest is the larger word", r"Upsample\.backward", "mode >= 'nearest'"),
    Rule("a sum over two axes does not depend on their order", r"Upsample\.backward", r"axis=\(5, 3\)"),
    Rule("with no padding it is a copy", "windows pad_image", r"^if padding == "),
    Rule("a convolution is padded with zeros", "windows pad_image", r"-> return np\.pad\(x, [^=]*$"),
    Rule("axes are summed over in any order", r"ScaleShift\.backward", r"-> same = \(\*.*, 0\)$"),
    Rule("no axis is shorter than 1", r"ScaleShift\.backward", r"own <= 1"),
    Rule(
        "the batch is never repeated, and an axis that is has become longer",
        r"Expand\.backward",
        r"range\(0, |\] < dy\.",
    ),
    Rule(
        "the sign is changed twice, once for each of the two axes",
        r"shape Pad\.",
        r"-> (return -d[xy]|dx\[pixel\] -= |dx = -self\._unpadded)",
    ),
    Rule("constant, edge and reflect: the first is the smallest word", r"shape Pad\.", r"mode <= 'constant'"),
    Rule("swapaxes takes its two axes in either order", r"shape Pad\.", r"swapaxes\(axis, 0\)"),
    Rule("a gradient is that of rows or of signals", r"signals _Signal", r"dy\.ndim >= 3"),
    Rule("swapaxes takes its two axes in either order", "conv_|attention_", r"swapaxes\((2, 1|3, 2)\)"),
    Rule("at the kink itself, where either slope is one", "leaky_relu_backward|relu_backward", r"x >= 0|y != 0"),
    Rule("both forms of the sigmoid are the same function", "sigmoid_forward|sigmoid_cross_entropy", r"> 0, 1, e"),
    Rule(
        "all weights, gradients and x have one dtype",
        "add_chain_gradients",
        r"_scaled\(x, factor, \w+\), \*outputs\[:-1\]",
    ),
    Rule(
        "a dx that nobody asked for is computed and dropped",
        "add_chain_gradients",
        r"-> if (True|factor > 0 .*|k (>=|!=) 0 or .*|k > -1 or .*):",
    ),
    Rule("k is never negative", "add_chain_gradients", r"-> if k != 0:"),
    Rule(
        "h has mean 0 over the row, so that taking dh's mean off it changes no mean of dh h",
        "layer_norm_backward",
        r"\(dx \* h\)",
    ),
    Rule("only its dtype is taken", "avg_pool_backward", r"padding, share\)"),
    Rule("tanh enters as its square", r"Tanh\.backward", "y = -cache"),
    Rule("of the kinds of joining concat is the first word, sum the last", "Parallel", "join (>= 'sum'|<= 'concat')"),
    Rule("an axis of a factor is as long as that of the product, or 1", "_product_gradients", "length < gradient"),
    Rule(
        "a dx that nobody asked for is computed and dropped",
        r"layers\.",
        r"input_gradient.* -> (?!.*input_gradient)|input_gradient: -> if False|index (>=|!=) lowest",
    ),
    Rule("indices have no gradient, so that nobody reads what is returned for them", "Embedding|embedding", r"return "),
    Rule("the branches read one x, so that each has a dx or none has", "Parallel", r"if dx is not None: -> "),
    Rule(
        "one cache and one layer for each step, where layers run one by one",
        "Sequential",
        r"len\((cache|self\.layers)\)\)|self\.layers\[index\]",
    ),
    Rule("a function that returns nothing returns None", "", r"return None -> return$"),
    Rule("another name for the same array or shape", r"layers\.", r"-> .*(\bcache\b|self\.W\.value)"),
    Rule("rows of one batch and as many steps", "attention", r"-> .*_of_rows\(.*, (q|a|dy|dq|dk|dv)\)"),
    Rule("W_out is square", r"Attention\.attend_backward", r"-> features = self\.W_out\.shape\[1\]"),
    Rule(
        "a dx that nobody asked for is computed and dropped",
        r"Attention\.backward|Recurrent\.run_backward",
        r"-> (return _of_rows\(.*dy\)$|.*(>=|!=) 0 or input_gradient|.*(ways|self\.\w+) > 0 or input_gradient)",
    ),
    Rule("the gradients of what is not asked for are dropped", r"Recurrent\._back", r"return \(0, dfirst\) -> "),
    Rule("a tuple or what makes one, read once", r"Recurrent\._back", r"-> dlast = \(part\[place\]"),
    Rule("zeros of any number of columns are zeros", r"Recurrent\._from_above", r"-> return \(np\.zeros\("),
    Rule("swapaxes takes its two axes in either order", r"Recurrent\._from_above", r"swapaxes\(1, 0\)"),
    Rule("one array in a tuple is an axis of length 1", r"RNN\.steps_backward", r"rnn_backward\(dy, end,"),
    Rule("a sum over two axes does not depend on their order", r"GRU\.steps_backward", r"axis=\(1, 0\)"),
    Rule("of the two kinds learned is the smaller word", r"Positions\.backward", r"kind <= 'learned'"),
    Rule("numbers of each sample go with any number of candidates", "NegativeSampling", r"true, shares\)"),
    Rule("the losses of samples have one axis", "sequence_losses CTC", r"-> .*sum\(axis=0\)|-> return \(\(shares"),
    Rule(
        "of a sum the order does not matter",
        r"ctc _behind",
        r"-> on = _either\(_moved|-> on = _either\(said, _moved\(np",
    ),
    Rule(
        "of a sum the order does not matter",
        r"branches|TimeGRU",
        r"-> .*(sum_forward\(d\w, (total|dy)\)|np\.add\(of_step, grad)",
    ),
    Rule("zeros of the same shape", r"Time(RNN|LSTM|GRU)", r"zeros_like\((c|self\.\w+|dhs\[:, 1\])\)"),
    Rule("forward makes the probabilities anew each time", "TimeSoftmaxWithLoss", r"= y\.copy\(\) -> "),
    Rule("at least two labels count", "TimeSoftmaxWithLoss", r"max\(.* -> .*mask\.sum\((axis=0)?\)"),
    Rule("zero has no sign", "TimeSoftmaxWithLoss", r"= -0$"),
    Rule(
        "the gradient needs what the loss keeps, whatever the labels", "lesson language_model", r"-> self\.loss\(x, x\)"
    ),
    Rule("as many indices as labels", "lesson language_model", r"-> .*/ x\.size"),
    Rule("there is a gradient for each parameter, of its shape", "lesson language_model", r"-> .*len\(grads\["),
    Rule(
        "all states have one shape, and that before the first step is zero", "lesson language_model", r"^dh = np\.zeros"
    ),
    Rule(
        "where every label counts, zeros are written over",
        "SequenceCrossEntropy",
        r"^if len\(dchosen\) == len\(logits\)",
    ),
    Rule("deferred or not, the product that is added is the same", r"AffineChain\.backward", r"^if self\.factor == 1"),
    Rule(
        "a dx that nobody asked for is computed and dropped",
        r"AffineChain\._backward_holding",
        r"^if index or input_gradient: ",
    ),
    Rule("steps behind the last are left out at the end", r"ctc _behind", r"-> .*t \+ 1 != lengths|^on = end -> "),
    Rule("all of it is written over", r"ctc _behind|recurrent \w+_backward", r"-> (found|da|da, du) = .*np\.empty"),
    Rule("zero has no sign", r"recurrent _divided", r"-0\.0\)$"),
    Rule("a column either way", r"recurrent _divided", r"-> there = mask\[:, np\.newaxis, t\]"),
    Rule("rows already", "SigmoidCrossEntropy", r"\*\(array for array"),
    Rule("one shape", "SigmoidCrossEntropy", r"_element_weights\(targets"),
    Rule(
        "gradients of different shapes are known by these, in any order",
        r"time_steps \w+|lesson (rnn|attention)",
        r"^return \(.* -> return \(",
    ),
    Rule("the list is made of dW and db when first asked for", r"layers \w+", r"^self\._fill_grads\(\) -> "),
    Rule("a NumPy number in place of a plain one", "", r"float\((loss|np.*)\), .* -> return \((loss|np)"),
]
_GENERIC = {
    "two arrays of one batch are equally long": lambda text: _LENGTH.sub("len(_)", text),
    "two arrays of one shape": lambda text: _SHAPE.sub("_.shape", text),
    "the last axis, counted from the end": lambda text: _counted(text),
}


def _counted(text: str) -> str:
    for end, start in _LAST.items():
        text = text.replace(end, start)
    return text


def reason(subject: str, mutant: Mutant) -> str:
    """Return why a mutant gives the same numbers; "" if no rule applies."""
    change = f"{mutant.before} -> {mutant.after}"
    for why, canonical in _GENERIC.items():
        if canonical(mutant.before) == canonical(mutant.after):
            return why
    return next((r.reason for r in RULES if re.search(r.subject, subject) and re.search(r.change, change)), "")


def unused(trials: Iterable[Trial]) -> list[str]:
    """Return the reasons that no mutant needed."""
    used = {trial.where for trial in trials if trial.outcome == "same"}
    return sorted({*_GENERIC, *(rule.reason for rule in RULES)} - used)
