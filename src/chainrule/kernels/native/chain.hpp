// A chain of layers as one kernel: scale, then Affine, ReLU, Affine, ..., Affine, forward and backward.
#pragma once

#include <cstddef>
#include <type_traits>

#include "affine.hpp"
#include "lists.hpp"

namespace chainrule::CHAINRULE_ISA {
namespace {

// x as the products read it: x itself, or a scaled copy.
template <class T, class S>
class Scaled {
public:
    Scaled(const S* x, T factor, const Chain& at, bool thin) : Scaled(x, factor, thin ? 0 : at.samples * at.widths[0]) {}

    const T* data() {
        if constexpr (std::is_same_v<S, T>)
            if (itself_) return x_;
        return memory_.data();
    }

private:
    Scaled(const S* x, T factor, Index size)
        : x_(x), itself_(std::is_same_v<S, T> && factor == T(1)), memory_(itself_ ? 0 : size) {
        if (!itself_) {
            divide_if(size > kWorthIt / 4, [&](int part, int parts) {
                const auto [first, last] = stretch(size, part, parts, 64);
                for (Index i = first; i < last; ++i) memory_[i] = static_cast<T>(x[i]) * factor;
            });
        }
    }

    const S* x_;
    bool itself_;
    Scratch<T> memory_;
};

// y[0] = factor xW[0] + b[0], y[k] = max(y[k - 1], 0) W[k] + b[k]; all outputs but the last are stored after their ReLU.
template <class T, class S>
void chain_forward(const S* x, T factor, const T* const* W, const T* const* b, T* const* y, const Chain& at) {
    const auto& width = at.widths;
    const Index N = at.samples;
    const std::size_t depth = width.size() - 1;
    const bool thin = N >= kFew && Thin<T, S>::pays(x, N, width[0], width[1]);
    Scaled<T, S> scaled(x, factor, at, thin);
    for (std::size_t k = 0; k < depth; ++k) {
        const Index D = width[k], H = width[k + 1];
        const bool is_last = k + 1 == depth;
        const auto relu = [out = y[k], H, is_last](Index m0, Index m1, Index h0, Index h1) {
            for (Index m = m0; !is_last && m < m1; ++m)
                for (Index i = m * H + h0; i < m * H + h1; ++i) out[i] = out[i] < T(0) ? T(0) : out[i];
        };
        if (k == 0 && thin) {
            thin_product(x, factor, W[0], b[0], y[0], N, D, H, relu);
            continue;
        }
        const T* from = k == 0 ? scaled.data() : y[k - 1];
        if (N < kFew) {
            affine_of_few(from, W[k], b[k], y[k], N, D, H);
            relu(0, N, 0, H);
        } else {
            dense_product(ByRows<T>{from, D}, ByRows<T>{W[k], H}, b[k], false, y[k], N, D, H, relu);
        }
    }
}

// From the last layer to the first: for y = xW + b, dx = dy W^T, and for y = max(x, 0), dx = dy where y > 0; then for every
// Affine dW = x^T dy and db = the sum of dy. Adds to dW and db; dx may be null.
template <class T, class S>
void add_chain_gradients(
    const S* x, T factor, const T* const* y, const T* dy, const T* const* W, T* const* dW, T* const* db, T* dx,
    const Chain& at) {
    const auto& width = at.widths;
    const Index N = at.samples;
    const std::size_t depth = width.size() - 1, lowest = dx ? 0 : 1;
    const bool thin = Thin<T, S>::pays(x, N, width[0], width[1]);
    Scaled<T, S> scaled(x, factor, at, thin);
    List<Index> begin(depth + 1);  // the offset of each gradient
    for (std::size_t k = 0; k < depth; ++k) begin[k + 1] = begin[k] + (k + 1 < depth ? N * width[k + 1] : 0);
    Scratch<T> deltas(begin[depth]);
    const auto delta = [&](std::size_t k) { return k + 1 < depth ? deltas.data() + begin[k] : dy; };
    for (std::size_t k = depth; k-- > lowest;) {
        const Index D = width[k], H = width[k + 1];
        T* below = k ? deltas.data() + begin[k - 1] : dx;
        dense_product(
            ByRows<T>{delta(k), H}, ByColumns<T>{W[k], H}, (const T*)nullptr, false, below, N, H, D,
            [=, at_relu = k ? y[k - 1] : nullptr](Index m0, Index m1, Index d0, Index d1) {
                for (Index m = m0; m < m1; ++m) {
                    if (at_relu) {
                        for (Index i = m * D + d0; i < m * D + d1; ++i) below[i] *= at_relu[i] > T(0) ? T(1) : T(0);
                    } else {
                        for (Index i = m * D + d0; i < m * D + d1; ++i) below[i] *= factor;
                    }
                }
            });
    }
    for (std::size_t k = 0; k < depth; ++k) {
        const Index D = width[k], H = width[k + 1];
        if (k == 0 && thin) {
            divide([&](int part, int parts) {
                const auto [first, last] = stretch(D, part, parts, kThinColumns);
                Thin<T, S>::weight_gradient(x, factor, delta(0), dW[0], N, D, H, first, last);
            });
        } else {
            const T* from = k == 0 ? scaled.data() : y[k - 1];
            dense_product(ByColumns<T>{from, D}, ByRows<T>{delta(k), H}, (const T*)nullptr, true, dW[k], D, N, H);
        }
        divide_if(N * H > kWorthIt / 2, [&](int part, int parts) {
            const auto [first, last] = stretch(H, part, parts, 16);
            for (Index n = 0; n < N; ++n)
                for (Index h = first; h < last; ++h) db[k][h] += delta(k)[n * H + h];
        });
    }
}

}  // namespace
}  // namespace chainrule::CHAINRULE_ISA
