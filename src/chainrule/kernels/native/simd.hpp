// Vectors of numbers, by the compiler's own extension: the same source becomes SSE, AVX2, AVX-512 or NEON.
#pragma once

#if defined(__AVX2__)
#include <immintrin.h>
#endif

#include <cstring>
#include <type_traits>

#include "table.hpp"

#ifndef CHAINRULE_VECTOR_BYTES
#define CHAINRULE_VECTOR_BYTES 16
#endif

#if CHAINRULE_VECTOR_BYTES == 64
#define CHAINRULE_ISA avx512
#define CHAINRULE_TILE_ROWS 6
#define CHAINRULE_TILE_VECTORS 4
#elif CHAINRULE_VECTOR_BYTES == 32
#define CHAINRULE_ISA avx2
#define CHAINRULE_TILE_ROWS 6
#define CHAINRULE_TILE_VECTORS 2
#else
#define CHAINRULE_ISA baseline
#define CHAINRULE_TILE_ROWS 6
#define CHAINRULE_TILE_VECTORS 2
#endif

namespace chainrule::CHAINRULE_ISA {

template <class T, int bytes>
struct VectorOf {
    typedef T type __attribute__((vector_size(bytes)));
};
template <class T, int bytes>
using Vector = typename VectorOf<T, bytes>::type;

// A vector as it lies anywhere in memory.
template <class V, class T>
inline V load(const T* at) {
    V v;
    std::memcpy(&v, at, sizeof v);
    return v;
}

template <class V, class T>
inline void store(T* at, V v) {
    std::memcpy(at, &v, sizeof v);
}

// A bit for each of a vector's numbers that is not zero (NaN is not).
inline std::uint32_t nonzero(const float* at) {
#if defined(__AVX512F__)
    return _mm512_cmp_ps_mask(_mm512_loadu_ps(at), _mm512_setzero_ps(), _CMP_NEQ_UQ);
#elif defined(__AVX2__)
    return static_cast<std::uint32_t>(
        _mm256_movemask_ps(_mm256_cmp_ps(_mm256_loadu_ps(at), _mm256_setzero_ps(), _CMP_NEQ_UQ)));
#else
    std::uint32_t bits = 0;
    for (unsigned i = 0; i < CHAINRULE_VECTOR_BYTES / sizeof(float); ++i) bits |= (at[i] != 0.0f ? 1u : 0u) << i;
    return bits;
#endif
}

inline std::uint32_t nonzero(const double* at) {
#if defined(__AVX512F__)
    return _mm512_cmp_pd_mask(_mm512_loadu_pd(at), _mm512_setzero_pd(), _CMP_NEQ_UQ);
#elif defined(__AVX2__)
    return static_cast<std::uint32_t>(
        _mm256_movemask_pd(_mm256_cmp_pd(_mm256_loadu_pd(at), _mm256_setzero_pd(), _CMP_NEQ_UQ)));
#else
    std::uint32_t bits = 0;
    for (unsigned i = 0; i < CHAINRULE_VECTOR_BYTES / sizeof(double); ++i) bits |= (at[i] != 0.0 ? 1u : 0u) << i;
    return bits;
#endif
}

// The numbers at even and at odd places of two vectors' length of memory, and back.
template <class V>
struct Two {
    V even, odd;
};

template <class V, class T>
inline Two<V> apart(const T* at) {
    constexpr int lanes = sizeof(V) / sizeof(T);
    Two<V> result;
#pragma GCC unroll 32
    for (int i = 0; i < lanes; ++i) {
        result.even[i] = at[2 * i];
        result.odd[i] = at[2 * i + 1];
    }
    return result;
}

template <class V, class T>
inline void together(V even, V odd, T* at) {
    constexpr int lanes = sizeof(V) / sizeof(T);
#if defined(__GNUC__) && !defined(__clang__)
    using Mask = decltype(V{} < V{});
    Mask low, high;
#pragma GCC unroll 64
    for (int i = 0; i < lanes; ++i) {
        low[i] = i / 2 + i % 2 * lanes;
        high[i] = low[i] + lanes / 2;
    }
    store(at, __builtin_shuffle(even, odd, low));
    store(at + lanes, __builtin_shuffle(even, odd, high));
#else
    for (int i = 0; i < lanes; ++i) {
        at[2 * i] = even[i];
        at[2 * i + 1] = odd[i];
    }
#endif
}

}  // namespace chainrule::CHAINRULE_ISA
