// Scaled dot-product attention with several heads, forward and backward.
//
// q (N, T, D), k and v (N, S, D); each head has its own d = D / heads features, side by side. Heads and samples are
// independent, so threads divide the work by them.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

#include "dense.hpp"
#include "maths.hpp"
#include "sums.hpp"

namespace chainrule::CHAINRULE_ISA {
namespace {

// The offsets of one head of one sample in arrays (N, length, D), and in the shares (N, heads, T, S).
struct Head {
    const Heads& all;
    Index unit, d;

    Index sample() const { return unit / all.heads; }
    Index offset() const { return unit % all.heads * d; }

    template <class T>
    ByRows<T> rows(Features<T> x, Index length) const {
        const Index size = length > 0 ? (all.N * length - 1) * x.line + all.D : 0;
        return {x.at + sample() * length * x.line + offset(), x.line, x.at + size};
    }
    template <class T>
    ByColumns<T> columns(Features<T> x, Index length) const {
        return {x.at + sample() * length * x.line + offset(), x.line};
    }
    template <class T>
    Written<T> into(T* array, Index length) const {
        return {array + sample() * length * all.D + offset(), all.D, false};
    }
};

template <class Work>
void divide_heads(const Heads& all, Work work) {
    divide_if(2 * all.N * all.queries * all.keys * all.D > kWorthIt, [&](int part, int parts) {
        const auto [first, last] = stretch(all.N * all.heads, part, parts);
        for (Index unit = first; unit < last; ++unit) work(Head{all, unit, all.D / all.heads});
    });
}

// Scaled scores of the first `seen` keys become shares that sum to 1; where mask is 0 a share is 0, as are all after `seen`.
template <class T>
void share_out(T* row, Index seen, Index S, const std::uint8_t* mask, T scale) {
    constexpr T lowest = -std::numeric_limits<T>::infinity();
    const Index end = std::min((seen + 15) / 16 * 16, S);  // whole vectors
    for (Index s = 0; s < seen; ++s) row[s] *= scale;
    if (mask) {
        for (Index s = 0; s < seen; ++s) row[s] = mask[s] ? row[s] : lowest;
    }
    std::fill(row + seen, row + end, lowest);
    std::fill(row + end, row + S, T(0));
    const T top = seen > 0 ? largest_of(row, end) : lowest;
    if (top == lowest) {
        std::fill(row, row + end, T(0));
        return;
    }
    for (Index s = 0; s < end; ++s) row[s] = exponential(row[s] - top);
    const T by = 1 / sum_over<T>(1, end, [&](Index, Index s) { return row[s]; });
    for (Index s = 0; s < end; ++s) row[s] *= by;
}

// shares (N, heads, T, S) = softmax(q k^T / sqrt(d)) over the keys that are real and, if causal, not later than the query: the
// last query is at the last key; y (N, T, D) = shares v. mask (N, S) may be null.
template <class T>
void attention_forward(
    Features<T> q, Features<T> k, Features<T> v, const std::uint8_t* mask, bool causal, T* y, T* shares, const Heads& all) {
    constexpr Index together = 32;  // queries at a time, which see nearly the same keys
    const Index queries = all.queries, keys = all.keys;
    divide_heads(all, [=](const Head& at) {
        const T scale = static_cast<T>(1 / std::sqrt(static_cast<double>(at.d)));
        T *share = shares + at.unit * queries * keys, *none = nullptr;
        const std::uint8_t* there = mask ? mask + at.sample() * keys : nullptr;
        const auto seen_until = [&](Index t) {  // seen by the queries before t
            return causal ? std::clamp<Index>(t + keys - queries, 0, keys) : keys;
        };
        for (Index t0 = 0; t0 < queries; t0 += together) {
            const Index t1 = std::min(t0 + together, queries), seen = seen_until(t1);
            if (seen > 0)
                Dense<T>::block(
                    at.rows(q, queries), at.columns(k, keys), none, Written<T>{share, keys, false}, at.d, t0, t1, 0, seen);
            for (Index t = t0; t < t1; ++t) share_out(share + t * keys, seen_until(t + 1), keys, there, scale);
            Dense<T>::block(
                ByRows<T>{share, keys}, at.rows(v, keys), none, at.into(y, queries), seen, t0, t1, 0, at.d);
        }
    });
}

// y = shares v: dv = shares^T dy, dshares = dy v^T.  shares = softmax(scores): dscores = shares (dshares - sum over the keys of
// dshares shares).  scores = q k^T / sqrt(d): dq = dscores k / sqrt(d), dk = dscores^T q / sqrt(d).
template <class T>
void attention_backward(
    const T* dy, Features<T> q, Features<T> k, Features<T> v, const T* shares, T* dq, T* dk, T* dv, const Heads& all) {
    const Index queries = all.queries, keys = all.keys;
    const Features<T> above{dy, all.D};
    divide_heads(all, [=](const Head& at) {
        const T scale = static_cast<T>(1 / std::sqrt(static_cast<double>(at.d)));
        const T* share = shares + at.unit * queries * keys;
        Scratch<T> dscores(queries * keys);
        const auto product = [](auto left, auto right, auto to, Index M, Index K, Index H) {
            Dense<T>::block(left, right, (const T*)nullptr, to, K, 0, M, 0, H);
        };
        product(ByColumns<T>{share, keys}, at.rows(above, queries), at.into(dv, keys), keys, queries, at.d);
        product(at.rows(above, queries), at.columns(v, keys), Written<T>{dscores.data(), keys, false}, queries, at.d, keys);
        for (Index t = 0; t < queries; ++t) {
            T* row = dscores.data() + t * keys;
            const T* p = share + t * keys;
            const T sum = sum_over<T>(1, keys, [&](Index, Index s) { return row[s] * p[s]; });
            for (Index s = 0; s < keys; ++s) row[s] = p[s] * (row[s] - sum) * scale;
        }
        product(ByRows<T>{dscores.data(), keys}, at.rows(k, keys), at.into(dq, queries), queries, keys, at.d);
        product(ByColumns<T>{dscores.data(), keys}, at.rows(q, queries), at.into(dk, keys), keys, queries, at.d);
    });
}

}  // namespace
}  // namespace chainrule::CHAINRULE_ISA
