// The native kernels: one table of functions per number type, filled in once for every instruction set.
//
// Arrays are dense, row after row. N batch, D inputs, H outputs or height, W width, C channels or classes, F filters,
// P positions of the output, K numbers of one window. The plain NumPy versions in kernels/reference are the specification.
#pragma once

#include <cstdint>
#include <vector>

namespace chainrule {

using Index = std::int64_t;

// Where a window lies on an image: shared by convolution and pooling.
struct Windows {
    Index samples, channels, height, width;  // input
    Index out_height, out_width;
    Index kernel_height, kernel_width, stride_down, stride_across;
    Index top, bottom, left, right;  // padding

    Index pixels() const { return height * width; }
    Index places() const { return out_height * out_width; }
    Index area() const { return kernel_height * kernel_width; }
};

// Affine layers with ReLU between them: the widths of the input and of each layer's output.
struct Chain {
    Index samples;
    std::vector<Index> widths;
};

// An activation: backward takes x, or y if the derivative is a function of y.
template <class T>
struct OneByOne {
    void (*forward)(const T* x, T* y, Index size);
    void (*backward)(const T* dy, const T* at, T* dx, Index size);
};

// Attention of N samples: the numbers of queries and keys of D features, divided into heads.
struct Heads {
    Index N, queries, keys, D, heads;
};

// An array (N, length, D) that may be some of the features of a larger one: rows lie `line` apart.
template <class T>
struct Features {
    const T* at;
    Index line;
};

template <class T>
struct Table {
    // y = xW + b
    void (*affine_forward)(const T* x, const T* W, const T* b, T* y, Index N, Index D, Index H);
    // fresh: dW is written, not added to
    void (*affine_weight_gradient)(const T* x, const T* dy, T* dW, bool fresh, Index N, Index D, Index H);
    void (*affine_bias_gradient)(const T* dy, T* db, Index N, Index H);
    void (*affine_input_gradient)(const T* dy, const T* W, T* dx, Index N, Index D, Index H);
    // chosen: rows of W, from 0 to V - 1
    void (*embedding_forward)(const Index* chosen, const T* W, T* y, Index N, Index D);
    void (*embedding_weight_gradient)(const Index* chosen, const T* dy, T* dW, Index N, Index V, Index D);
    // the affine ones for x in single precision, whatever T is
    void (*affine_forward_singles)(const float* x, const T* W, const T* b, T* y, Index N, Index D, Index H);
    void (*affine_weight_gradient_singles)(const float* x, const T* dy, T* dW, bool fresh, Index N, Index D, Index H);

    // y: the outputs of each layer; x is numbers or bytes; the gradients are added to dW and db, and dx may be null
    void (*chain_forward)(const T* x, T factor, const T* const* W, const T* const* b, T* const* y, const Chain& at);
    void (*chain_forward_bytes)(
        const std::uint8_t* x, T factor, const T* const* W, const T* const* b, T* const* y, const Chain& at);
    void (*add_chain_gradients)(
        const T* x, T factor, const T* const* y, const T* dy, const T* const* W, T* const* dW, T* const* db, T* dx,
        const Chain& at);
    void (*add_chain_gradients_bytes)(
        const std::uint8_t* x, T factor, const T* const* y, const T* dy, const T* const* W, T* const* dW, T* const* db,
        T* dx, const Chain& at);

    // b may be null
    void (*conv_forward)(const T* x, const T* W, const T* b, T* y, const Windows& at, Index filters, Index groups);
    void (*conv_weight_gradient)(const T* x, const T* dy, T* dW, const Windows& at, Index filters, Index groups);
    void (*conv_bias_gradient)(const T* dy, T* db, Index samples, Index filters, Index places);
    void (*conv_input_gradient)(const T* dy, const T* W, T* dx, const Windows& at, Index filters, Index groups);

    // a convolution, ReLU, and 2 x 2 pooling without overlap; `at` belongs to the convolution, y and dy to the pooling
    void (*conv_relu_pool_forward)(
        const T* x, const T* W, const T* b, T* y, std::uint8_t* place, const Windows& at, Index filters, Index groups);
    void (*conv_relu_pool_weight_gradient)(
        const T* x, const T* dy, const T* y, const std::uint8_t* place, T* dW, T* db, const Windows& at, Index filters,
        Index groups);
    void (*conv_relu_pool_input_gradient)(
        const T* dy, const T* y, const std::uint8_t* place, const T* W, T* dx, const Windows& at, Index filters,
        Index groups);

    // place: which of the window's pixels was the largest, counted row by row
    void (*max_pool_forward)(const T* x, T* y, std::uint8_t* place, const Windows& at);
    void (*max_pool_backward)(const T* dy, const std::uint8_t* place, T* dx, const Windows& at);
    void (*avg_pool_forward)(const T* x, T* y, const Windows& at);
    void (*avg_pool_backward)(const T* dy, T* dx, const Windows& at);

    // x (N, C, S)
    void (*batch_norm_forward)(
        const T* x, const T* gamma, const T* beta, T epsilon, bool relu, T* y, T* mean, T* variance, Index N, Index C,
        Index S);
    // y may be null
    void (*batch_norm_backward)(
        const T* dy, const T* x, const T* y, const T* gamma, const T* mean, const T* inverse_std, T* dx, T* dgamma, T* dbeta,
        Index N, Index C, Index S);
    void (*batch_norm_inference)(
        const T* x, const T* gamma, const T* beta, const T* mean, const T* inverse_std, bool relu, T* y, Index N, Index C,
        Index S);

    // x (M, D)
    void (*layer_norm_forward)(
        const T* x, const T* gamma, const T* beta, T epsilon, T* y, T* mean, T* inverse_std, Index M, Index D);
    void (*layer_norm_backward)(
        const T* dy, const T* x, const T* gamma, const T* mean, const T* inverse_std, T* dx, T* dgamma, T* dbeta, Index M,
        Index D);

    void (*relu_forward)(const T* x, T* y, Index size);
    void (*relu_backward)(const T* dy, const T* y, T* dx, Index size);
    // mask: 1 where x is 0 or less
    void (*masked_relu_forward)(const T* x, T* y, std::uint8_t* mask, Index size);
    void (*zero_update)(T* values, const std::uint8_t* mask, Index size);
    void (*leaky_relu_forward)(const T* x, T slope, T* y, Index size);
    void (*leaky_relu_backward)(const T* dy, const T* x, T slope, T* dx, Index size);
    OneByOne<T> sigmoid, tanh, silu, softplus, gelu;
    void (*softmax)(const T* x, T* y, Index N, Index C);
    void (*softmax_backward)(const T* dy, const T* y, T* dx, Index N, Index C);
    void (*sum_forward)(const T* a, const T* b, T* y, Index size);
    void (*dropout)(const T* x, const std::uint8_t* keep, T scale, T* y, Index size);
    void (*scale_bytes)(const std::uint8_t* x, T factor, T* y, Index size);
    void (*scale_numbers)(const T* x, T factor, T* y, Index size);

    // mask may be null; backward changes dh and dc from those of the last state to those of the initial state
    void (*rnn_forward)(
        const T* a, const T* U, const T* h, const std::uint8_t* mask, T* states, Index N, Index steps, Index H);
    void (*rnn_backward)(
        const T* dy, T* dh, const T* U, const T* states, const std::uint8_t* mask, T* da, Index N, Index steps, Index H);
    void (*lstm_forward)(
        const T* a, const T* U, const T* h, const T* c, const std::uint8_t* mask, T* states, T* cells, T* gates, Index N,
        Index steps, Index H);
    void (*lstm_backward)(
        const T* dy, T* dh, T* dc, const T* U, const T* c, const T* cells, const T* gates, const std::uint8_t* mask, T* da,
        Index N, Index steps, Index H);
    void (*gru_forward)(
        const T* a, const T* U, const T* b_hidden, const T* h, const std::uint8_t* mask, T* states, T* gates, T* inners,
        Index N, Index steps, Index H);
    void (*gru_backward)(
        const T* dy, T* dh, const T* U, const T* h, const T* states, const T* gates, const T* inners,
        const std::uint8_t* mask, T* da, T* du, Index N, Index steps, Index H);
    void (*attention_forward)(
        Features<T> q, Features<T> k, Features<T> v, const std::uint8_t* mask, bool causal, T* y, T* shares,
        const Heads& at);
    void (*attention_backward)(
        const T* dy, Features<T> q, Features<T> k, Features<T> v, const T* shares, T* dq, T* dk, T* dv, const Heads& at);

    // returns the loss
    double (*softmax_cross_entropy)(const T* logits, const Index* labels, T* dlogits, Index N, Index C);
    // a label outside the classes is never right
    Index (*count_right)(const T* logits, const Index* labels, Index N, Index C);

    // they clear the gradients; velocity may be null
    void (*sgd_update)(T* values, T* gradients, T* velocity, T rate, T momentum, bool nesterov, Index size);
    // for values (D, H) whose gradients, 0 so far, are x^T dy
    void (*sgd_product_update)(
        T* values, T* gradients, T* velocity, const T* x, const T* dy, T rate, T momentum, bool nesterov, Index N, Index D,
        Index H);
    void (*adagrad_update)(T* values, T* gradients, T* square, T rate, T epsilon, Index size);
    void (*rmsprop_update)(T* values, T* gradients, T* square, T rate, T decay, T epsilon, Index size);
    void (*adam_update)(
        T* values, T* gradients, T* mean, T* square, T rate, T beta1, T beta2, T epsilon, T correction1, T correction2,
        Index size);
    void (*decay_update)(T* values, T factor, Index size);
    void (*average_update)(T* average, const T* values, T decay, Index size);

    // rows of `size` bytes
    void (*take_rows)(const std::uint8_t* from, const Index* chosen, std::uint8_t* to, Index N, Index size);

    // G control points per side, and their weights at each row (H, G) and column (W, G)
    void (*distort_images)(
        const std::uint8_t* x, const float* maps, const float* controls, const float* row_weights,
        const float* column_weights, const float* thickness, const float* blur, std::uint8_t* y, Index N, Index C, Index H,
        Index W, Index G);
};

// The table for the best instruction set that this build and this processor share, and its name.
template <class T>
const Table<T>& table();
const char* instruction_set();

}  // namespace chainrule
