// Losses of a batch together with their gradients, and how many answers are right.
#pragma once

#include <algorithm>
#include <cmath>

#include "maths.hpp"

namespace chainrule::CHAINRULE_ISA {
namespace {

// The mean of log(sum over c of e^z[c]) - z[label]; dlogits = (softmax(z) - onehot(label)) / N.
template <class T>
double softmax_cross_entropy(const T* logits, const Index* labels, T* dlogits, Index N, Index C) {
    const T share = T(1) / static_cast<T>(std::max<Index>(N, 1));
    for (Index n = 0; n < N; ++n) {
        const T* z = logits + n * C;
        T top = z[0];
        for (Index c = 1; c < C; ++c) top = z[c] > top || z[c] != z[c] ? z[c] : top;
        for (Index c = 0; c < C; ++c) dlogits[n * C + c] = z[c] - top;
    }
    double loss = 0;
    for (Index n = 0; n < N; ++n) loss -= static_cast<double>(dlogits[n * C + labels[n]]);
    for (Index i = 0; i < N * C; ++i) dlogits[i] = exponential(dlogits[i]);
    for (Index n = 0; n < N; ++n) {
        T* d = dlogits + n * C;
        T total = T(0);
        for (Index c = 0; c < C; ++c) total += d[c];
        loss += static_cast<double>(std::log(total));
        const T by = share / total;
        for (Index c = 0; c < C; ++c) d[c] *= by;
        d[labels[n]] -= share;
    }
    return N ? loss / static_cast<double>(N) : 0.0;
}

// How many rows have their largest number at their label, as argmax has it: the first of equals, and NaN before all.
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
