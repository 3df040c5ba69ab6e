// Sums over samples and places, in parallel so that they become vectors.
#pragma once

#include <numeric>

#include "simd.hpp"

namespace chainrule::CHAINRULE_ISA {
namespace {

// Sum of term(n, s) over samples and places, in sixteen parallel sums.
template <class T, class Term>
inline T sum_over(Index N, Index S, Term term) {
    T sum[16] = {};
    for (Index n = 0; n < N; ++n) {
        Index s = 0;
        for (; s + 16 <= S; s += 16)
            for (Index lane = 0; lane < 16; ++lane) sum[lane] += term(n, s + lane);
        for (; s < S; ++s) sum[(n + s) & 15] += term(n, s);
    }
    return std::accumulate(sum, sum + 16, T(0));
}

}  // namespace
}  // namespace chainrule::CHAINRULE_ISA
