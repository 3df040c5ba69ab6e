// Losses of a batch together with their gradients, and the number of right answers.
#pragma once

#include <algorithm>
#include <cmath>

#include "maths.hpp"
#include "scratch.hpp"
#include "sums.hpp"
#include "threads.hpp"

namespace chainrule::CHAINRULE_ISA {
namespace {

// The mean of log(sum over c of e^z[c]) - z[label]; dlogits = (softmax(z) - onehot(label)) / N.
template <class T>
double softmax_cross_entropy(const T* logits, const Index* labels, T* dlogits, Index N, Index C) {
    const T share = T(1) / static_cast<T>(std::max<Index>(N, 1));
    Scratch<double> losses(N);
    divide_if(N * C > 16384, [&](int part, int parts) {
        const auto [first, last] = stretch(N, part, parts);
        for (Index n = first; n < last; ++n) {
            const T* z = logits + n * C;
            const T top = largest_of(z, C);
            for (Index c = 0; c < C; ++c) dlogits[n * C + c] = z[c] - top;
            losses[n] = -static_cast<double>(dlogits[n * C + labels[n]]);
        }
        for (Index i = first * C; i < last * C; ++i) dlogits[i] = exponential(dlogits[i]);
        for (Index n = first; n < last; ++n) {
            T* d = dlogits + n * C;
            const T total = sum_over<T>(1, C, [&](Index, Index c) { return d[c]; });
            losses[n] += static_cast<double>(std::log(total));
            const T by = share / total;
            for (Index c = 0; c < C; ++c) d[c] *= by;
            d[labels[n]] -= share;
        }
    });
    return N ? std::accumulate(losses.data(), losses.data() + N, 0.0) / static_cast<double>(N) : 0.0;
}

// The number of rows with their largest number at their label, like argmax: the first on a tie, and NaN before all.
template <class T>
Index count_right(const T* logits, const Index* labels, Index N, Index C) {
    Index right = 0;
    for (Index n = 0; n < N; ++n) {
        const T* z = logits + n * C;
        const Index label = labels[n];
        if (label < 0 || label >= C) continue;
        const T own = z[label];
        int best = 1;  // without branches
        for (Index c = 0; c < label; ++c) best &= static_cast<int>(z[c] < own) | ((own != own) & (z[c] == z[c]));
        for (Index c = label + 1; c < C; ++c) best &= static_cast<int>(z[c] <= own) | (own != own);
        right += best;
    }
    return right;
}

}  // namespace
}  // namespace chainrule::CHAINRULE_ISA
