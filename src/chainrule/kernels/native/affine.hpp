// Affine: y = xW + b (N, H) of x (N, D) and W (D, H), rows selected from W, and the gradients of both.
//
// x may be mostly zeros (thin.hpp), in single precision with weights in double, or have few samples.
#pragma once

#include <algorithm>
#include <cstdint>
#include <type_traits>

#include "dense.hpp"
#include "scratch.hpp"
#include "thin.hpp"
#include "threads.hpp"

namespace chainrule::CHAINRULE_ISA {
namespace {

// sum (H) = the rows of W that are listed, times their values: some columns at a time, whose sums stay in registers.
template <class T>
void sum_of_rows(const std::int32_t* row, const T* value, Index entries, const T* W, T* sum, Index H) {
    using V = typename Panels<T>::V;
    constexpr Index lanes = Panels<T>::lanes;
    constexpr int most = 8;
    for (Index h = 0; h < H; h += most * lanes) {
        const Index width = std::min<Index>(most * lanes, H - h);
        if (width < lanes) {
            std::fill_n(sum + h, width, T(0));
            for (Index e = 0; e < entries; ++e)
                for (Index i = h; i < H; ++i) sum[i] += value[e] * W[row[e] * H + i];
            return;
        }
        // the last vector ends with the last column, so it may overlap the one before
        as_constant<most>(static_cast<int>((width + lanes - 1) / lanes), [&](auto vectors) {
            constexpr int count = vectors.value;
            const Index last = width - lanes;
            V total[count] = {};
            for (Index e = 0; e < entries; ++e) {
                const T* from = W + row[e] * H + h;
                for (int i = 0; i + 1 < count; ++i) total[i] += value[e] * load<V>(from + i * lanes);
                total[count - 1] += value[e] * load<V>(from + last);
            }
            for (int i = 0; i + 1 < count; ++i) store(sum + h + i * lanes, total[i]);
            store(sum + h + last, total[count - 1]);
        });
    }
}

constexpr Index kFew = 4;  // samples: fewer are divided by what they read of W

// All of y for few samples, when reading W takes most of the time: rows of W that meet a zero are skipped, and each thread finds
// its part of the others in its cache the next time.
template <class T, class S>
void affine_of_few(const S* x, const T* W, const T* b, T* y, Index N, Index D, Index H) {
    const Index room = D + CHAINRULE_VECTOR_BYTES;
    Scratch<T> value(N * room);
    Scratch<std::int32_t> row(N * room);
    Index entries[kFew] = {}, all = 0;
    for (Index n = 0; n < N; ++n)
        all += entries[n] = gather_nonzero(x + n * D, D, T(1), row.data() + n * room, value.data() + n * room);
    const int shares = all * H > kWorthIt / 4 ? kShares : 1;
    Scratch<T> sums(shares * N * H);
    divide(shares, [&](int part, int parts) {
        for (Index n = 0; n < N; ++n) {
            const auto [first, last] = stretch(entries[n], part, parts, 16);
            const Index at = n * room + first;
            sum_of_rows(row.data() + at, value.data() + at, last - first, W, sums.data() + (part * N + n) * H, H);
        }
    });
    for (Index n = 0; n < N; ++n) {
        std::copy_n(b, H, y + n * H);
        for (Index part = 0; part < shares; ++part)
            for (Index h = 0; h < H; ++h) y[n * H + h] += sums[(part * N + n) * H + h];
    }
}

constexpr Index kThinColumns = 16;  // are not divided between threads
constexpr Index kMuch = 1 << 23;  // multiply-adds of a thin product, zeros included: above this all threads are worth using

// factor xW of a thin x, as two partial sums (N, H) over x's columns: each thread then reads the rows of W that only it reads
// and writes in the weight gradient and the update, so they stay in its cache. More threads divide the samples too.
template <class T, class S>
void thin_sums(const S* x, T factor, const T* W, T* left, T* right, Index N, Index D, Index H) {
    const int groups = N * D * H > kMuch ? (thread_count() + 1) / 2 : 1;
    divide(2 * groups, [&](int part, int) {
        const int half = part / groups;
        const auto [first, last] = stretch(D, half, 2, kThinColumns);
        const auto [n0, n1] = stretch(N, part % groups, groups);
        Thin<T, S>::forward(x + n0 * D, factor, W, (half ? right : left) + n0 * H, n1 - n0, D, H, first, last);
    });
}

// Rows [first, last) of y, in which the left sums are: the bias and the right sums are added.
template <class T>
void complete_thin_sums(const T* b, const T* right, T* y, Index H, Index first, Index last) {
    for (Index n = first; n < last; ++n)
        for (Index h = 0; h < H; ++h) y[n * H + h] = b[h] + y[n * H + h] + right[n * H + h];
}

// x as numbers of W's type: x itself, or a copy.
template <class T, class S>
class Converted {
public:
    Converted(const S* x, Index size) : x_(x), memory_(std::is_same_v<S, T> ? 0 : size) {
        if constexpr (!std::is_same_v<S, T>) std::copy_n(x, size, memory_.data());
    }

    const T* data() {
        if constexpr (std::is_same_v<S, T>) {
            return x_;
        } else {
            return memory_.data();
        }
    }

private:
    const S* x_;
    Scratch<T> memory_;
};

// y = xW + b.
template <class T, class S>
void affine_forward(const S* x, const T* W, const T* b, T* y, Index N, Index D, Index H) {
    if (N < kFew) {
        affine_of_few(x, W, b, y, N, D, H);
    } else if (Thin<T, S>::pays(x, N, D, H)) {
        Scratch<T> right(N * H);
        thin_sums(x, T(1), W, y, right.data(), N, D, H);
        divide_if(N * H > kWorthIt / 8, [&](int part, int parts) {
            const auto [first, last] = stretch(N, part, parts);
            complete_thin_sums(b, right.data(), y, H, first, last);
        });
    } else {
        Converted<T, S> converted(x, N * D);
        dense_product(ByRows<T>{converted.data(), D}, ByRows<T>{W, H}, b, false, y, N, D, H);
    }
}

// y = xW + b: dW = x^T dy. Added to dW, or with `fresh` written there.
template <class T, class S>
void affine_weight_gradient(const S* x, const T* dy, T* dW, bool fresh, Index N, Index D, Index H) {
    if (Thin<T, S>::pays(x, N, D, H)) {
        divide([&](int part, int parts) {
            const auto [first, last] = stretch(D, part, parts, kThinColumns);
            if (fresh) std::fill(dW + first * H, dW + last * H, T(0));
            Thin<T, S>::weight_gradient(x, T(1), dy, dW, N, D, H, first, last);
        });
    } else {
        Converted<T, S> converted(x, N * D);
        dense_product(ByColumns<T>{converted.data(), D}, ByRows<T>{dy, H}, (const T*)nullptr, !fresh, dW, D, N, H);
    }
}

// y = xW + b: db is the sum of dy over the batch.
template <class T>
void affine_bias_gradient(const T* dy, T* db, Index N, Index H) {
    divide_if(N * H > kWorthIt / 2, [&](int part, int parts) {
        const auto [first, last] = stretch(H, part, parts, 16);
        std::fill(db + first, db + last, T(0));
        for (Index n = 0; n < N; ++n)
            for (Index h = first; h < last; ++h) db[h] += dy[n * H + h];
    });
}

// y (N, D) = the chosen rows of W.
template <class T>
void embedding_forward(const Index* chosen, const T* W, T* y, Index N, Index D) {
    divide_if(N * D > 16384, [&](int part, int parts) {
        const auto [first, last] = stretch(N, part, parts);
        for (Index n = first; n < last; ++n) std::copy_n(W + chosen[n] * D, D, y + n * D);
    });
}

// y = the chosen rows of W: each row of dW (V, D) is the sum of the dy that selected it.
template <class T>
void embedding_weight_gradient(const Index* chosen, const T* dy, T* dW, Index N, Index V, Index D) {
    divide_if(N * D > 16384, [&](int part, int parts) {
        const auto [first, last] = stretch(D, part, parts, 16);
        for (Index v = 0; v < V; ++v) std::fill(dW + v * D + first, dW + v * D + last, T(0));
        for (Index n = 0; n < N; ++n) {
            T* row = dW + chosen[n] * D;
            for (Index d = first; d < last; ++d) row[d] += dy[n * D + d];
        }
    });
}

// y = xW + b: dx = dy W^T.
template <class T>
void affine_input_gradient(const T* dy, const T* W, T* dx, Index N, Index D, Index H) {
    dense_product(ByRows<T>{dy, H}, ByColumns<T>{W, H}, (const T*)nullptr, false, dx, N, H, D);
}

}  // namespace
}  // namespace chainrule::CHAINRULE_ISA
