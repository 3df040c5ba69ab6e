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

// Call work(first, end) for each run of steps from 0 to `count` that are divided alike: a step divided by columns alone, and
// neighbors divided by rows together, since a thread then takes its rows through all of them.
template <class Columns, class Work>
void runs(std::size_t count, Columns columns, Work work) {
    for (std::size_t first = 0, end; first < count; first = end) {
        end = first + 1;
        while (end < count && !columns(first) && !columns(end)) ++end;
        work(first, end);
    }
}

// The outputs of chain_forward for fewer than kFew samples: each layer divides what it reads of its weights.
template <class T>
void chain_of_few(const T* x, const T* const* W, const T* const* b, T* const* y, const Chain& at) {
    for (std::size_t k = 0; k + 1 < at.widths.size(); ++k) {
        const Index size = at.samples * at.widths[k + 1];
        affine_of_few(k ? y[k - 1] : x, W[k], b[k], y[k], at.samples, at.widths[k], at.widths[k + 1]);
        for (Index i = 0; k + 2 < at.widths.size() && i < size; ++i) y[k][i] = y[k][i] < T(0) ? T(0) : y[k][i];
    }
}

// y[0] = factor xW[0] + b[0], y[k] = max(y[k - 1], 0) W[k] + b[k]; all outputs but the last are stored after their ReLU.
template <class T, class S>
void chain_forward(const S* x, T factor, const T* const* W, const T* const* b, T* const* y, const Chain& at) {
    const auto& width = at.widths;
    const Index N = at.samples;
    const std::size_t depth = width.size() - 1;
    const bool thin = N >= kFew && Thin<T, S>::pays(x, N, width[0], width[1]);
    Scaled<T, S> scaled(x, factor, at, thin);
    if (N < kFew) return chain_of_few(scaled.data(), W, b, y, at);
    Scratch<T> right(thin ? N * width[1] : 0);
    if (thin) thin_sums(x, factor, W[0], y[0], right.data(), N, width[0], width[1]);
    const auto layer = [&](std::size_t k, int part, int parts) {
        const Index D = width[k], H = width[k + 1];
        const auto relu = [out = y[k], H, is_last = k + 1 == depth](Index m0, Index m1, Index h0, Index h1) {
            for (Index m = m0; !is_last && m < m1; ++m)
                for (Index i = m * H + h0; i < m * H + h1; ++i) out[i] = out[i] < T(0) ? T(0) : out[i];
        };
        if (k == 0 && thin) {
            const auto [first, last] = stretch(N, part, parts);
            complete_thin_sums(b[0], right.data(), y[0], H, first, last);
            relu(first, last, 0, H);
        } else {
            const T* from = k == 0 ? scaled.data() : y[k - 1];
            dense_part(
                ByRows<T>{from, D}, ByRows<T>{W[k], H}, b[k], Written<T>{y[k], H, false}, N, D, H, part, parts, relu);
        }
    };
    const auto columns = [&](std::size_t k) { return !(k == 0 && thin) && divides_columns<T>(N, width[k], width[k + 1]); };
    runs(depth, columns, [&](std::size_t first, std::size_t end) {
        Index work = 0;
        for (std::size_t k = first; k < end; ++k) work += N * width[k + 1] * (k == 0 && thin ? 8 : width[k]);
        divide_if(work > kWorthIt, [&](int part, int parts) {
            for (std::size_t k = first; k < end; ++k) layer(k, part, parts);
        });
    });
}

// From the last layer to the first: for y = xW + b, dx = dy W^T, and for y = max(x, 0), dx = dy where y > 0; then for every
// Affine dW = x^T dy and db = the sum of dy. Adds to dW and db; dx may be null.
template <class T, class S>
void add_chain_gradients(
    const S* x, T factor, const T* const* y, const T* dy, const T* const* W, T* const* dW, T* const* db, T* dx,
    const Chain& at) {
    const auto& width = at.widths;
    const Index N = at.samples;
    const std::size_t depth = width.size() - 1;
    const bool thin = Thin<T, S>::pays(x, N, width[0], width[1]);
    Scaled<T, S> scaled(x, factor, at, thin);
    List<Index> begin(depth + 1);  // the offset of each gradient
    for (std::size_t k = 0; k < depth; ++k) begin[k + 1] = begin[k] + (k + 1 < depth ? N * width[k + 1] : 0);
    Scratch<T> deltas(begin[depth]);
    const auto delta = [&](std::size_t k) -> const T* { return k + 1 < depth ? deltas.data() + begin[k] : dy; };
    const auto input_gradient = [&](std::size_t k, int part, int parts) {
        const Index D = width[k], H = width[k + 1];
        T* below = k ? deltas.data() + begin[k - 1] : dx;
        dense_part(
            ByRows<T>{delta(k), H}, ByColumns<T>{W[k], H}, (const T*)nullptr, Written<T>{below, D, false}, N, H, D, part,
            parts, [=, at_relu = k ? y[k - 1] : nullptr](Index m0, Index m1, Index d0, Index d1) {
                for (Index m = m0; m < m1; ++m) {
                    if (at_relu) {
                        for (Index i = m * D + d0; i < m * D + d1; ++i) below[i] *= at_relu[i] > T(0) ? T(1) : T(0);
                    } else {
                        for (Index i = m * D + d0; i < m * D + d1; ++i) below[i] *= factor;
                    }
                }
            });
    };
    const auto downwards = [&](std::size_t step) { return depth - 1 - step; };
    const auto columns = [&](std::size_t step) {
        const std::size_t k = downwards(step);
        return divides_columns<T>(N, width[k + 1], width[k]);
    };
    runs(dx ? depth : depth - 1, columns, [&](std::size_t first, std::size_t end) {
        Index work = 0;
        for (std::size_t step = first; step < end; ++step) work += N * width[downwards(step)] * width[downwards(step) + 1];
        divide_if(work > kWorthIt, [&](int part, int parts) {
            for (std::size_t step = first; step < end; ++step) input_gradient(downwards(step), part, parts);
        });
    });
    Index work = 0;
    for (std::size_t k = 0; k < depth; ++k) work += N * width[k] * width[k + 1];
    divide_if(work > kWorthIt, [&](int part, int parts) {
        for (std::size_t k = 0; k < depth; ++k) {
            const Index D = width[k], H = width[k + 1];
            if (k == 0 && thin) {
                const auto [first, last] = stretch(D, part, parts, kThinColumns);
                Thin<T, S>::weight_gradient(x, factor, delta(0), dW[0], N, D, H, first, last);
            } else {
                const T* from = k == 0 ? scaled.data() : y[k - 1];
                dense_part(
                    ByColumns<T>{from, D}, ByRows<T>{delta(k), H}, (const T*)nullptr, Written<T>{dW[k], H, true}, D, N, H,
                    part, parts, [](Index, Index, Index, Index) {});
            }
            const auto [first, last] = stretch(H, part, parts, 16);
            for (Index n = 0; n < N; ++n)
                for (Index h = first; h < last; ++h) db[k][h] += delta(k)[n * H + h];
        }
    });
}

}  // namespace
}  // namespace chainrule::CHAINRULE_ISA
