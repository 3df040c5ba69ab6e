// The table of kernels for one instruction set: compiled once for each, see simd.hpp for which one this is.
#include "affine.hpp"
#include "attention.hpp"
#include "batches.hpp"
#include "chain.hpp"
#include "conv.hpp"
#include "conv_relu_pool.hpp"
#include "descent.hpp"
#include "elementwise.hpp"
#include "images.hpp"
#include "losses.hpp"
#include "norm.hpp"
#include "pool.hpp"
#include "recurrent.hpp"
#include "updates.hpp"
#include "table.hpp"

namespace chainrule::CHAINRULE_ISA {
namespace {

template <class T>
constexpr Table<T> make_table() {
    return {
        affine_forward<T, T>,
        affine_weight_gradient<T, T>,
        affine_bias_gradient<T>,
        affine_input_gradient<T>,
        embedding_forward<T>,
        embedding_weight_gradient<T>,
        affine_forward<T, float>,
        affine_weight_gradient<T, float>,
        chain_forward<T, T>,
        chain_forward<T, std::uint8_t>,
        add_chain_gradients<T, T>,
        add_chain_gradients<T, std::uint8_t>,
        conv_forward<T>,
        conv_weight_gradient<T>,
        conv_bias_gradient<T>,
        conv_input_gradient<T>,
        conv_relu_pool_forward<T>,
        conv_relu_pool_weight_gradient<T>,
        conv_relu_pool_input_gradient<T>,
        max_pool_forward<T>,
        max_pool_backward<T>,
        avg_pool_forward<T>,
        avg_pool_backward<T>,
        batch_norm_forward<T>,
        batch_norm_backward<T>,
        batch_norm_inference<T>,
        layer_norm_forward<T>,
        layer_norm_backward<T>,
        relu_forward<T>,
        relu_backward<T>,
        masked_relu_forward<T>,
        zero_update<T>,
        leaky_relu_forward<T>,
        leaky_relu_backward<T>,
        {apply<T, sigmoid<T>>, apply_backward<T, sigmoid_slope<T>>},
        {apply<T, tangent<T>>, apply_backward<T, tangent_slope<T>>},
        {apply<T, silu<T>>, apply_backward<T, silu_slope<T>>},
        {apply<T, softplus<T>>, apply_backward<T, sigmoid<T>>},
        {apply<T, gelu<T>>, apply_backward<T, gelu_slope<T>>},
        softmax<T>,
        softmax_backward<T>,
        sum_forward<T>,
        dropout<T>,
        scale_bytes<T>,
        scale_numbers<T>,
        rnn_forward<T>,
        rnn_backward<T>,
        lstm_forward<T>,
        lstm_backward<T>,
        gru_forward<T>,
        gru_backward<T>,
        attention_forward<T>,
        attention_backward<T>,
        softmax_cross_entropy<T>,
        count_right<T>,
        sgd_update<T>,
        sgd_product_update<T>,
        adagrad_update<T>,
        rmsprop_update<T>,
        adam_update<T>,
        decay_update<T>,
        average_update<T>,
        take_rows,
        distort_images,
    };
}

}  // namespace

extern const Table<float> singles;
extern const Table<double> doubles;
const Table<float> singles = make_table<float>();
const Table<double> doubles = make_table<double>();

}  // namespace chainrule::CHAINRULE_ISA
