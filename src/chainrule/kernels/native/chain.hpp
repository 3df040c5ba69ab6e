// A chain of layers in one kernel: scale, then Affine, ReLU, Affine, ..., Affine, forward and backward.
//
// Each thread takes its samples through all layers, so that they stay in its cache.
#pragma once

#include <cstddef>
#include <optional>
#include <type_traits>

#include "affine.hpp"

namespace chainrule::CHAINRULE_ISA {
namespace {

// The multiply-adds of one product with each matrix.
inline Index chain_work(const Chain& at) {
    Index work = 0;
    for (std::size_t k = 0; k + 1 < at.widths.size(); ++k) work += at.widths[k] * at.widths[k + 1];
    return work * at.samples;
}

// x as the products read it: itself, or scaled into other memory, a part's rows at a time.
template <class T, class S>
class Scaled {
public:
    Scaled(const S* x, T factor, const Chain& at, bool thin)
        : x_(x), factor_(factor), D_(at.widths[0]), itself_(std::is_same_v<S, T> && factor == T(1)),
          memory_(thin || itself_ ? 0 : at.samples * D_), thin_(thin) {}

    void open(Index first, Index last) {
        if (thin_ || itself_) return;
        for (Index i = first * D_; i < last * D_; ++i) memory_[i] = static_cast<T>(x_[i]) * factor_;
    }
    const T* data() {
        if constexpr (std::is_same_v<S, T>)
            if (itself_) return x_;
        return memory_.data();
    }

private:
    const S* x_;
    T factor_;
    Index D_;
    bool itself_;
    Scratch<T> memory_;
    bool thin_;
};

// y[0] = factor xW[0] + b[0], y[k] = max(y[k - 1], 0) W[k] + b[k]; the outputs but the last are kept behind their ReLU.
template <class T, class S>
void chain_forward(const S* x, T factor, const T* const* W, const T* const* b, T* const* y, const Chain& at) {
    const auto& width = at.widths;
    const std::size_t depth = width.size() - 1;
    const bool few = at.samples < thread_count();
    const bool thin = !few && Thin<T, S>::pays(x, at.samples, width[0], width[1]);
    Scaled<T, S> scaled(x, factor, at, thin);
    if (few) {
        scaled.open(0, at.samples);
        for (std::size_t k = 0; k < depth; ++k) {
            const Index size = at.samples * width[k + 1];
            affine_of_few(
                k == 0 ? scaled.data() : y[k - 1], W[k], b[k], y[k], at.samples, width[k], width[k + 1]);
            for (Index i = 0; k + 1 < depth && i < size; ++i) y[k][i] = y[k][i] < T(0) ? T(0) : y[k][i];
        }
        return;
    }
    std::optional<ThinProduct<T, S>> product;
    if (thin) product.emplace(x, factor, W[0], at.samples, width[0], width[1]);
    divide_if(chain_work(at) > kWorthIt, [&](int part, int parts) {
        const auto [first, last] = stretch(at.samples, part, parts);
        scaled.open(first, last);
        for (std::size_t k = 0; k < depth; ++k) {
            const Index D = width[k], H = width[k + 1];
            if (k == 0 && thin) {
                product->rows(b[0], y[0], first, last);
            } else {
                affine_rows(k == 0 ? scaled.data() : y[k - 1], W[k], b[k], y[k], D, H, first, last);
            }
            if (k + 1 < depth)
                for (Index i = first * H; i < last * H; ++i) y[k][i] = y[k][i] < T(0) ? T(0) : y[k][i];
        }
    });
}

// From the last layer to the first: of y = xW + b, dx = dy W^T, and of y = max(x, 0), dx = dy where y > 0; then of every
// Affine dW = x^T dy and db = the sum of dy. Adds to dW and db; dx may be null.
template <class T, class S>
void add_chain_gradients(
    const S* x, T factor, const T* const* y, const T* dy, const T* const* W, T* const* dW, T* const* db, T* dx,
    const Chain& at) {
    const auto& width = at.widths;
    const std::size_t depth = width.size() - 1, lowest = dx ? 0 : 1;
    const bool large = chain_work(at) > kWorthIt;
    const bool thin = Thin<T, S>::pays(x, at.samples, width[0], width[1]);
    Scaled<T, S> scaled(x, factor, at, thin);
    List<Index> place(depth + 1), begin(depth + 1);  // of each matrix turned, and of each gradient
    for (std::size_t k = 0; k < depth; ++k) {
        place[k + 1] = place[k] + (k >= lowest ? width[k] * width[k + 1] : 0);
        begin[k + 1] = begin[k] + (k + 1 < depth ? at.samples * width[k + 1] : 0);
    }
    Scratch<T> turned(place[depth]), deltas(begin[depth]);
    const auto delta = [&](std::size_t k) { return k + 1 < depth ? deltas.data() + begin[k] : dy; };
    divide_if(place[depth] > kWorthIt / 4, [&](int part, int parts) {
        for (std::size_t k = lowest; k < depth; ++k) {
            const Index D = width[k], H = width[k + 1];
            const auto [first, last] = stretch(D, part, parts, 16);
            transpose(W[k] + first * H, H, turned.data() + place[k] + first, last - first, H, D);
        }
    });
    divide_if(large, [&](int part, int parts) {
        const auto [first, last] = stretch(at.samples, part, parts);
        scaled.open(first, last);
        for (std::size_t k = depth; k-- > lowest;) {
            const Index D = width[k], H = width[k + 1];
            T* below = k ? deltas.data() + begin[k - 1] : dx;
            input_gradient_rows(delta(k), turned.data() + place[k], below, D, H, first, last);
            if (k) {
                for (Index i = first * D; i < last * D; ++i) below[i] = below[i] * (y[k - 1][i] > T(0) ? T(1) : T(0));
            } else if (factor != T(1)) {
                for (Index i = first * D; i < last * D; ++i) below[i] *= factor;
            }
        }
    });
    divide_if(large, [&](int part, int parts) {
        for (std::size_t k = 0; k < depth; ++k) {
            const Index D = width[k], H = width[k + 1];
            const auto [first, last] = stretch(D, part, parts, k == 0 && thin ? kThinColumns : CHAINRULE_TILE_ROWS);
            if (k == 0 && thin) {
                Thin<T, S>::weight_gradient(x, factor, delta(0), dW[0], at.samples, D, H, first, last);
            } else {
                add_weight_gradient_rows(k == 0 ? scaled.data() : y[k - 1], delta(k), dW[k], at.samples, D, H, first, last);
            }
            const auto [left, right] = stretch(H, part, parts, 16);
            for (Index n = 0; n < at.samples; ++n)
                for (Index h = left; h < right; ++h) db[k][h] += delta(k)[n * H + h];
        }
    });
}

}  // namespace
}  // namespace chainrule::CHAINRULE_ISA
