"""The hot operations: array arguments, array results. Each is its native twin where that was compiled, else NumPy."""

from chainrule.kernels.native import FOR_NUMPY, IMPLEMENTATION, NATIVE, WITHOUT_TWIN, accelerated, work_alone
from chainrule.kernels.reference import (
    affine,
    attention,
    batches,
    conv,
    elementwise,
    fused,
    images,
    losses,
    norm,
    pool,
    recurrent,
    updates,
)
from chainrule.kernels.reference import ctc as ctc_

__all__ = [
    "FOR_NUMPY",
    "IMPLEMENTATION",
    "NATIVE",
    "WITHOUT_TWIN",
    "adagrad_update",
    "adam_update",
    "add_affine_weight_gradient",
    "add_chain_gradients",
    "affine_bias_gradient",
    "affine_forward",
    "affine_input_gradient",
    "affine_weight_gradient",
    "attention_backward",
    "attention_forward",
    "average_update",
    "avg_pool_backward",
    "avg_pool_forward",
    "batch_norm_backward",
    "batch_norm_forward",
    "batch_norm_inference",
    "batch_norm_inference_backward",
    "chain_forward",
    "conv_bias_gradient",
    "conv_forward",
    "conv_input_gradient",
    "conv_relu_pool_forward",
    "conv_relu_pool_input_gradient",
    "conv_relu_pool_weight_gradient",
    "conv_weight_gradient",
    "count_right",
    "ctc",
    "decay_update",
    "distort_images",
    "dropout",
    "embedding_forward",
    "embedding_weight_gradient",
    "gelu_backward",
    "gelu_forward",
    "gru_backward",
    "gru_forward",
    "layer_norm_backward",
    "layer_norm_forward",
    "leaky_relu_backward",
    "leaky_relu_forward",
    "lstm_backward",
    "lstm_forward",
    "masked_relu_forward",
    "max_pool_backward",
    "max_pool_forward",
    "relu_backward",
    "relu_forward",
    "rmsprop_update",
    "rnn_backward",
    "rnn_forward",
    "rotate_heads",
    "scale_forward",
    "sgd_update",
    "sigmoid_backward",
    "sigmoid_cross_entropy",
    "sigmoid_forward",
    "silu_backward",
    "silu_forward",
    "softmax",
    "softmax_backward",
    "softmax_cross_entropy",
    "softplus_backward",
    "softplus_forward",
    "take_rows",
    "tanh_backward",
    "tanh_forward",
    "weighted_cross_entropy",
    "work_alone",
    "zero_update",
]

affine_bias_gradient = accelerated(affine.affine_bias_gradient)
affine_forward = accelerated(affine.affine_forward)
affine_input_gradient = accelerated(affine.affine_input_gradient)
affine_weight_gradient = accelerated(affine.affine_weight_gradient)
add_affine_weight_gradient = accelerated(affine.add_affine_weight_gradient)
embedding_forward = accelerated(affine.embedding_forward)
embedding_weight_gradient = accelerated(affine.embedding_weight_gradient)
distort_images = accelerated(images.distort_images)
take_rows = accelerated(batches.take_rows)
conv_bias_gradient = accelerated(conv.conv_bias_gradient)
conv_forward = accelerated(conv.conv_forward)
conv_input_gradient = accelerated(conv.conv_input_gradient)
conv_weight_gradient = accelerated(conv.conv_weight_gradient)
dropout = accelerated(elementwise.dropout)
gelu_backward = accelerated(elementwise.gelu_backward)
gelu_forward = accelerated(elementwise.gelu_forward)
leaky_relu_backward = accelerated(elementwise.leaky_relu_backward)
leaky_relu_forward = accelerated(elementwise.leaky_relu_forward)
relu_backward = accelerated(elementwise.relu_backward)
relu_forward = accelerated(elementwise.relu_forward)
masked_relu_forward = accelerated(elementwise.masked_relu_forward)
zero_update = accelerated(elementwise.zero_update)
scale_forward = accelerated(elementwise.scale_forward)
sigmoid_backward = accelerated(elementwise.sigmoid_backward)
sigmoid_forward = accelerated(elementwise.sigmoid_forward)
silu_backward = accelerated(elementwise.silu_backward)
silu_forward = accelerated(elementwise.silu_forward)
softmax = accelerated(elementwise.softmax)
softmax_backward = accelerated(elementwise.softmax_backward)
softplus_backward = accelerated(elementwise.softplus_backward)
softplus_forward = accelerated(elementwise.softplus_forward)
tanh_backward = accelerated(elementwise.tanh_backward)
tanh_forward = accelerated(elementwise.tanh_forward)
count_right = accelerated(losses.count_right)
sigmoid_cross_entropy = accelerated(losses.sigmoid_cross_entropy)
softmax_cross_entropy = accelerated(losses.softmax_cross_entropy)
weighted_cross_entropy = accelerated(losses.weighted_cross_entropy)
batch_norm_backward = accelerated(norm.batch_norm_backward)
batch_norm_forward = accelerated(norm.batch_norm_forward)
batch_norm_inference = accelerated(norm.batch_norm_inference)
batch_norm_inference_backward = accelerated(norm.batch_norm_inference_backward)
layer_norm_backward = accelerated(norm.layer_norm_backward)
layer_norm_forward = accelerated(norm.layer_norm_forward)
avg_pool_backward = accelerated(pool.avg_pool_backward)
avg_pool_forward = accelerated(pool.avg_pool_forward)
max_pool_backward = accelerated(pool.max_pool_backward)
max_pool_forward = accelerated(pool.max_pool_forward)
attention_backward = accelerated(attention.attention_backward)
attention_forward = accelerated(attention.attention_forward)
rotate_heads = accelerated(attention.rotate_heads)
ctc = accelerated(ctc_.ctc)
gru_backward = accelerated(recurrent.gru_backward)
gru_forward = accelerated(recurrent.gru_forward)
lstm_backward = accelerated(recurrent.lstm_backward)
lstm_forward = accelerated(recurrent.lstm_forward)
rnn_backward = accelerated(recurrent.rnn_backward)
rnn_forward = accelerated(recurrent.rnn_forward)
adagrad_update = accelerated(updates.adagrad_update)
adam_update = accelerated(updates.adam_update)
average_update = accelerated(updates.average_update)
decay_update = accelerated(updates.decay_update)
rmsprop_update = accelerated(updates.rmsprop_update)
sgd_update = accelerated(updates.sgd_update)
add_chain_gradients = accelerated(fused.add_chain_gradients)
chain_forward = accelerated(fused.chain_forward)
conv_relu_pool_forward = accelerated(fused.conv_relu_pool_forward)
conv_relu_pool_input_gradient = accelerated(fused.conv_relu_pool_input_gradient)
conv_relu_pool_weight_gradient = accelerated(fused.conv_relu_pool_weight_gradient)
