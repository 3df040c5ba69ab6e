// Sums over samples and positions, and the largest of a row, in parallel so that they are vectorized.
#pragma once

#include <numeric>

#include "simd.hpp"

namespace chainrule::CHAINRULE_ISA {
namespace {

// Sum of term(n, s) over samples and positions, in sixteen parallel sums.
template <class T, class Term>
CHAINRULE_INLINE T sum_over(Index N, Index S, Term term) {
    T sum[16] = {};
    for (Index n = 0; n < N; ++n) {
        Index s = 0;
        for (; s + 16 <= S; s += 16)
            for (Index lane = 0; lane < 16; ++lane) sum[lane] += term(n, s + lane);
        for (; s < S; ++s) sum[(n + s) & 15] += term(n, s);
    }
    return std::accumulate(sum, sum + 16, T(0));
}

// The largest of C numbers, and NaN before all others.
template <class T>
CHAINRULE_INLINE T largest_of(const T* row, Index C) {
    T top[16];
    const auto larger = [](T a, T b) { return a > b || a != a ? a : b; };
    for (Index lane = 0; lane < 16; ++lane) top[lane] = row[lane < C ? lane : 0];
    Index c = 16;
    for (; c + 16 <= C; c += 16)
        for (Index lane = 0; lane < 16; ++lane) top[lane] = larger(row[c + lane], top[lane]);
    for (; c < C; ++c) top[c & 15] = larger(row[c], top[c & 15]);
    for (Index lane = 1; lane < 16; ++lane) top[0] = larger(top[lane], top[0]);
    return top[0];
}

}  // namespace
}  // namespace chainrule::CHAINRULE_ISA
