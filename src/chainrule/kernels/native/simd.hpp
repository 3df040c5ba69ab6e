// Vectors of numbers with the compiler's own extension: the same source becomes SSE, AVX2, AVX-512 or NEON.
#pragma once

#if defined(__AVX2__)
#include <immintrin.h>
#endif

#include <algorithm>
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

// For functions of one number: if called instead of inlined, they keep a loop from being vectorized. Left to itself, the
// compiler stops inlining them in a file as large as the table of all kernels.
#define CHAINRULE_INLINE __attribute__((always_inline)) inline

namespace chainrule::CHAINRULE_ISA {

template <class T, int bytes>
struct VectorOf {
    typedef T type __attribute__((vector_size(bytes)));
};
template <class T, int bytes>
using Vector = typename VectorOf<T, bytes>::type;

// A vector anywhere in memory, aligned or not.
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

// The first `count` numbers of a vector.
template <class V, class T>
inline void store_first(V v, Index count, T* at) {
    constexpr Index lanes = sizeof(V) / sizeof(T);
    if (count >= lanes) {
        store(at, v);
        return;
    }
    T numbers[lanes];
    std::memcpy(numbers, &v, sizeof v);
    Index done = 0;
#pragma GCC unroll 8
    for (Index piece = lanes / 2; piece > 0; piece /= 2)
        if (count & piece) {
            std::memcpy(at + done, numbers + done, static_cast<std::size_t>(piece) * sizeof(T));
            done += piece;
        }
}

// One bit per number of a vector: whether it is not zero (NaN is not).
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

// One bit for each of up to 64 numbers: whether it is not zero.
template <class S>
inline std::uint64_t nonzero(const S* at, Index count) {
    std::uint64_t bits = 0;
    Index i = 0;
    if constexpr (std::is_same_v<S, std::uint8_t>) {
#if defined(__AVX512BW__)
        const __m512i bytes = _mm512_maskz_loadu_epi8(~std::uint64_t{0} >> (64 - count), at);
        return _mm512_test_epi8_mask(bytes, bytes);
#elif defined(__AVX2__)
        for (; i + 32 <= count; i += 32) {
            const __m256i zero = _mm256_cmpeq_epi8(_mm256_loadu_si256((const __m256i*)(at + i)), _mm256_setzero_si256());
            bits |= static_cast<std::uint64_t>(~static_cast<std::uint32_t>(_mm256_movemask_epi8(zero))) << i;
        }
#endif
    } else {
        constexpr Index lanes = CHAINRULE_VECTOR_BYTES / sizeof(S);
        for (; i + lanes <= count; i += lanes) bits |= static_cast<std::uint64_t>(nonzero(at + i)) << i;
    }
    for (; i < count; ++i) bits |= static_cast<std::uint64_t>(at[i] != S(0)) << i;
    return bits;
}

// Write the positions of the nonzero numbers, and their values times a factor; return how many there are. Writes up to a
// vector more.
template <class T, class S>
inline std::int32_t gather_nonzero(const S* from, Index count, T factor, std::int32_t* place, T* value) {
    std::int32_t found = 0;
    Index begin = 0;
#if defined(__AVX512F__)
    if constexpr (sizeof(T) == 4) {
        const __m512i step = _mm512_set1_epi32(16);
        __m512i places = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
        for (; begin + 16 <= count; begin += 16, places = _mm512_add_epi32(places, step)) {
            __m512 values;
            if constexpr (std::is_same_v<S, std::uint8_t>) {
                values = _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i*)(from + begin))));
            } else {
                values = _mm512_loadu_ps(from + begin);
            }
            const __mmask16 bits = _mm512_cmp_ps_mask(values, _mm512_setzero_ps(), _CMP_NEQ_UQ);
            const __m512i few_places = _mm512_maskz_compress_epi32(bits, places);
            const __m512 few = _mm512_mul_ps(_mm512_maskz_compress_ps(bits, values), _mm512_set1_ps(factor));
            const int more = __builtin_popcount(bits);
            if (more <= 8) {  // the usual case: shorter writes are faster
                _mm256_storeu_si256((__m256i*)(place + found), _mm512_castsi512_si256(few_places));
                _mm256_storeu_ps(value + found, _mm512_castps512_ps256(few));
            } else {
                _mm512_storeu_si512(place + found, few_places);
                _mm512_storeu_ps(value + found, few);
            }
            found += more;
        }
    } else {
        const __m256i step = _mm256_set1_epi32(8);
        __m256i places = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
        for (; begin + 8 <= count; begin += 8, places = _mm256_add_epi32(places, step)) {
            __m512d values;
            if constexpr (std::is_same_v<S, std::uint8_t>) {
                values = _mm512_cvtepi32_pd(_mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i*)(from + begin))));
            } else if constexpr (std::is_same_v<S, float>) {
                values = _mm512_cvtps_pd(_mm256_loadu_ps(from + begin));
            } else {
                values = _mm512_loadu_pd(from + begin);
            }
            const __mmask8 bits = _mm512_cmp_pd_mask(values, _mm512_setzero_pd(), _CMP_NEQ_UQ);
            _mm256_storeu_si256((__m256i*)(place + found), _mm256_maskz_compress_epi32(bits, places));
            _mm512_storeu_pd(
                value + found, _mm512_mul_pd(_mm512_maskz_compress_pd(bits, values), _mm512_set1_pd(factor)));
            found += __builtin_popcount(bits);
        }
    }
#endif
    for (; begin < count; begin += 64)
        for (std::uint64_t bits = nonzero(from + begin, std::min<Index>(64, count - begin)); bits != 0; bits &= bits - 1) {
            const Index i = begin + __builtin_ctzll(bits);
            place[found] = static_cast<std::int32_t>(i);
            value[found++] = static_cast<T>(from[i]) * factor;
        }
    return found;
}

// Of two rows of numbers, keep those where y is above zero: positions in place, values written; return how many there are.
// Writes up to a vector more.
template <class T>
inline std::int32_t keep_positive(const T* y, Index count, const T* from, std::int32_t* place, T* value) {
    std::int32_t kept = 0;
    Index i = 0;
#if defined(__AVX512F__)
    if constexpr (sizeof(T) == 4)
        for (; i < count; i += 16) {
            const __mmask16 there = static_cast<__mmask16>((1u << std::min<Index>(16, count - i)) - 1);
            const __mmask16 bits = _mm512_mask_cmp_ps_mask(
                there, _mm512_maskz_loadu_ps(there, y + i), _mm512_setzero_ps(), _CMP_GT_OQ);
            const __m512i places = _mm512_maskz_loadu_epi32(there, place + i);
            _mm512_storeu_si512(place + kept, _mm512_maskz_compress_epi32(bits, places));
            _mm512_storeu_ps(value + kept, _mm512_maskz_compress_ps(bits, _mm512_maskz_loadu_ps(there, from + i)));
            kept += __builtin_popcount(bits);
        }
#endif
    for (; i < count; ++i) {
        place[kept] = place[i];
        value[kept] = from[i];
        kept += y[i] > T(0);
    }
    return kept;
}

// The numbers at even and at odd positions of two vectors' length of memory, and back.
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

// interleave even and odd: the first half and the second half of the result
template <class V>
inline Two<V> alternate(V even, V odd) {
    constexpr int lanes = sizeof(V) / sizeof(even[0]);
#if defined(__GNUC__) && !defined(__clang__)
    using Mask = decltype(V{} < V{});
    Mask low, high;
#pragma GCC unroll 64
    for (int i = 0; i < lanes; ++i) {
        low[i] = i / 2 + i % 2 * lanes;
        high[i] = low[i] + lanes / 2;
    }
    return {__builtin_shuffle(even, odd, low), __builtin_shuffle(even, odd, high)};
#else
    Two<V> result;
    for (int i = 0; i < lanes; ++i) {
        (2 * i < lanes ? result.even : result.odd)[2 * i % lanes] = even[i];
        (2 * i < lanes ? result.even : result.odd)[2 * i % lanes + 1] = odd[i];
    }
    return result;
#endif
}

template <class V, class T>
inline void together(V even, V odd, T* at) {
    const auto [first, second] = alternate(even, odd);
    store(at, first);
    store(at + sizeof(V) / sizeof(T), second);
}

// As many vectors as each has numbers: transposed, by interleaving the two halves again and again.
template <class V>
inline void turn(V* row) {
    constexpr int lanes = sizeof(V) / sizeof(row[0][0]);
#pragma GCC unroll 8
    for (int round = 1; round < lanes; round *= 2) {
        V next[lanes];
#pragma GCC unroll 64
        for (int i = 0; i < lanes / 2; ++i) {
            const auto [first, second] = alternate(row[i], row[i + lanes / 2]);
            next[2 * i] = first;
            next[2 * i + 1] = second;
        }
#pragma GCC unroll 64
        for (int i = 0; i < lanes; ++i) row[i] = next[i];
    }
}

// (rows, columns), the rows of both matrices some distance apart -> (columns, rows)
template <class T>
void transpose(const T* from, Index distance, T* to, Index rows, Index columns, Index line) {
    using V = Vector<T, sizeof(T) == 1 ? 16 : CHAINRULE_VECTOR_BYTES>;
    constexpr Index lanes = sizeof(V) / sizeof(T);
    Index c = 0;
    for (; c + lanes <= columns; c += lanes) {
        Index r = 0;
        for (; r + lanes <= rows; r += lanes) {
            V block[lanes];
#pragma GCC unroll 64
            for (Index i = 0; i < lanes; ++i) block[i] = load<V>(from + (r + i) * distance + c);
            turn(block);
#pragma GCC unroll 64
            for (Index i = 0; i < lanes; ++i) store(to + (c + i) * line + r, block[i]);
        }
        for (; r < rows; ++r)
            for (Index i = c; i < c + lanes; ++i) to[i * line + r] = from[r * distance + i];
    }
    for (; c < columns; ++c)
        for (Index r = 0; r < rows; ++r) to[c * line + r] = from[r * distance + c];
}

}  // namespace chainrule::CHAINRULE_ISA
