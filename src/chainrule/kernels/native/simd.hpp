// Vectors of numbers, by the compiler's own extension: the same source becomes SSE, AVX2, AVX-512 or NEON.
#pragma once

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
