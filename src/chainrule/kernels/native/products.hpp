// The products that all heavy work consists of, each written once, for any vector width.
//
//     rows_times:     out[m, q] = of_row[m] + of_column[q] + sum over k of left[m, k] right[offset[k] + q]
//     windows_times:  out[m, f] = of_column[f] + sum over k of image[begin[m] + offset[k]] right[k, f]
//     inner_sums:     out[f, k] = out[f, k] + sum over q of left[f, q] right[offset[k] + q]
//
// With offset[k] = k H the first is a matrix product; with offsets into an image it is a convolution that copies no
// windows. A tile of `out` stays in registers during the sum.
#pragma once

#include <algorithm>

#include "simd.hpp"

namespace chainrule::CHAINRULE_ISA {

// Columns are taken in vectors; the last vector of a row is moved back so that it ends with the row. Its first numbers
// are then computed twice, with the same result.
inline Index vector_place(Index v, Index lanes, Index size) { return std::min(v * lanes, size - lanes); }

template <class T, class V, int rows, int vectors>
inline void rows_times_tile(
    const T* left, Index left_stride, const T* right, const Index* offset, Index K, const Index* place, const T* of_row,
    const T* of_column, T* out, Index out_stride) {
    V sum[rows][vectors];
    for (int r = 0; r < rows; ++r)
        for (int v = 0; v < vectors; ++v) {
            sum[r][v] = of_column ? load<V>(of_column + place[v]) : V{};
            if (of_row) sum[r][v] += of_row[r];
        }
    for (Index k = 0; k < K; ++k) {
        const T* line = right + offset[k];
        V b[vectors];
        for (int v = 0; v < vectors; ++v) b[v] = load<V>(line + place[v]);
        for (int r = 0; r < rows; ++r) {
            const T a = left[r * left_stride + k];
            for (int v = 0; v < vectors; ++v) sum[r][v] += a * b[v];
        }
    }
    for (int r = 0; r < rows; ++r)
        for (int v = 0; v < vectors; ++v) store(out + r * out_stride + place[v], sum[r][v]);
}

template <class T, class V, int vectors>
inline void rows_times_strip(
    const T* left, Index left_stride, const T* right, const Index* offset, Index M, Index K, const Index* place,
    const T* of_row, const T* of_column, T* out, Index out_stride) {
    constexpr int rows = CHAINRULE_TILE_ROWS;
    Index m = 0;
    for (; m + rows <= M; m += rows)
        rows_times_tile<T, V, rows, vectors>(
            left + m * left_stride, left_stride, right, offset, K, place, of_row ? of_row + m : nullptr, of_column,
            out + m * out_stride, out_stride);
    for (; m + 2 <= M; m += 2)
        rows_times_tile<T, V, 2, vectors>(
            left + m * left_stride, left_stride, right, offset, K, place, of_row ? of_row + m : nullptr, of_column,
            out + m * out_stride, out_stride);
    for (; m < M; ++m)
        rows_times_tile<T, V, 1, vectors>(
            left + m * left_stride, left_stride, right, offset, K, place, of_row ? of_row + m : nullptr, of_column,
            out + m * out_stride, out_stride);
}

// left (M, K) with rows left_stride apart, right with any offsets, `size` columns; of_row (M), of_column (size) may be null.
template <class T, int bytes = CHAINRULE_VECTOR_BYTES>
void rows_times(
    const T* left, Index left_stride, const T* right, const Index* offset, Index M, Index K, Index size,
    const T* of_row, const T* of_column, T* out, Index out_stride) {
    constexpr Index lanes = bytes / sizeof(T);
    if constexpr (lanes > 1) {
        if (size < lanes) {
            rows_times<T, bytes / 2>(
                left, left_stride, right, offset, M, K, size, of_row, of_column, out, out_stride);
            return;
        }
        using V = Vector<T, bytes>;
        constexpr int most = CHAINRULE_TILE_VECTORS;
        const Index count = (size + lanes - 1) / lanes;
        Index place[most];
        for (Index v = 0; v < count;) {
            const Index left_over = count - v;
            const int take = left_over >= most ? most : static_cast<int>(left_over);
            for (int i = 0; i < take; ++i) place[i] = vector_place(v + i, lanes, size);
            switch (take) {
                case 1:
                    rows_times_strip<T, V, 1>(
                        left, left_stride, right, offset, M, K, place, of_row, of_column, out, out_stride);
                    break;
                case 2:
                    rows_times_strip<T, V, 2>(
                        left, left_stride, right, offset, M, K, place, of_row, of_column, out, out_stride);
                    break;
                case 3:
                    if constexpr (most >= 3)
                        rows_times_strip<T, V, 3>(
                            left, left_stride, right, offset, M, K, place, of_row, of_column, out, out_stride);
                    break;
                default:
                    if constexpr (most >= 4)
                        rows_times_strip<T, V, 4>(
                            left, left_stride, right, offset, M, K, place, of_row, of_column, out, out_stride);
                    break;
            }
            v += take;
        }
    } else {
        for (Index m = 0; m < M; ++m)
            for (Index q = 0; q < size; ++q) {
                T sum = (of_column ? of_column[q] : T(0)) + (of_row ? of_row[m] : T(0));
                for (Index k = 0; k < K; ++k) sum += left[m * left_stride + k] * right[offset[k] + q];
                out[m * out_stride + q] = sum;
            }
    }
}

template <class T, class V, int rows, int vectors>
inline void windows_times_tile(
    const T* image, const Index* begin, const Index* offset, Index K, const T* right, Index right_stride, const T* of_column,
    T* out, Index out_stride) {
    constexpr Index lanes = sizeof(V) / sizeof(T);
    V sum[rows][vectors];
    const T* window[rows];
    for (int r = 0; r < rows; ++r) {
        window[r] = image + begin[r];
        for (int v = 0; v < vectors; ++v) sum[r][v] = load<V>(of_column + v * lanes);
    }
    for (Index k = 0; k < K; ++k) {
        V b[vectors];
        for (int v = 0; v < vectors; ++v) b[v] = load<V>(right + k * right_stride + v * lanes);
        for (int r = 0; r < rows; ++r) {
            const T a = window[r][offset[k]];
            for (int v = 0; v < vectors; ++v) sum[r][v] += a * b[v];
        }
    }
    for (int r = 0; r < rows; ++r)
        for (int v = 0; v < vectors; ++v) store(out + r * out_stride + v * lanes, sum[r][v]);
}

template <class T, class V, int vectors>
inline void windows_times_strip(
    const T* image, const Index* begin, Index M, const Index* offset, Index K, const T* right, Index right_stride,
    const T* of_column, T* out, Index out_stride) {
    constexpr int rows = vectors == 1 ? 2 * CHAINRULE_TILE_ROWS : CHAINRULE_TILE_ROWS;
    Index m = 0;
    for (; m + rows <= M; m += rows)
        windows_times_tile<T, V, rows, vectors>(
            image, begin + m, offset, K, right, right_stride, of_column, out + m * out_stride, out_stride);
    for (; m + 2 <= M; m += 2)
        windows_times_tile<T, V, 2, vectors>(
            image, begin + m, offset, K, right, right_stride, of_column, out + m * out_stride, out_stride);
    for (; m < M; ++m)
        windows_times_tile<T, V, 1, vectors>(
            image, begin + m, offset, K, right, right_stride, of_column, out + m * out_stride, out_stride);
}

// out (M, columns) for M windows that start at these positions of an image; columns are whole vectors.
template <class T>
void windows_times(
    const T* image, const Index* begin, Index M, const Index* offset, Index K, const T* right, Index columns,
    const T* of_column, T* out) {
    using V = Vector<T, CHAINRULE_VECTOR_BYTES>;
    constexpr Index lanes = sizeof(V) / sizeof(T);
    constexpr int most = CHAINRULE_TILE_VECTORS;
    for (Index v = 0; v < columns; v += most * lanes) {
        const auto strip = [&](auto vectors) {
            windows_times_strip<T, V, vectors.value>(
                image, begin, M, offset, K, right + v, columns, of_column + v, out + v, columns);
        };
        switch (std::min<Index>(most, (columns - v) / lanes)) {
            case 1: strip(std::integral_constant<int, 1>{}); break;
            case 2: strip(std::integral_constant<int, 2>{}); break;
            case 3: strip(std::integral_constant<int, std::min(most, 3)>{}); break;
            default: strip(std::integral_constant<int, most>{}); break;
        }
    }
}

// Several samples of a matrix or image, each `step` after the previous one.
template <class T>
struct Series {
    const T* data;
    Index step;
};

template <class T, class V, int rows, int columns>
inline void inner_sums_tile(
    Series<T> left, Index left_stride, Series<T> right, const Index* offset, Index samples, Index steps, V* out,
    Index out_stride) {
    constexpr Index lanes = sizeof(V) / sizeof(T);
    V sum[rows][columns];
    for (int r = 0; r < rows; ++r)
        for (int c = 0; c < columns; ++c) sum[r][c] = out[r * out_stride + c];
    for (Index n = 0; n < samples; ++n) {
        const T* line[columns];
        for (int c = 0; c < columns; ++c) line[c] = right.data + n * right.step + offset[c];
        const T* from = left.data + n * left.step;
        for (Index q = 0; q < steps * lanes; q += lanes) {
            V a[rows];
            for (int r = 0; r < rows; ++r) a[r] = load<V>(from + r * left_stride + q);
            for (int c = 0; c < columns; ++c) {
                const V b = load<V>(line[c] + q);
                for (int r = 0; r < rows; ++r) sum[r][c] += a[r] * b;
            }
        }
    }
    for (int r = 0; r < rows; ++r)
        for (int c = 0; c < columns; ++c) out[r * out_stride + c] = sum[r][c];
}

template <class T, class V, int rows>
inline void inner_sums_rows(
    Series<T> left, Index left_stride, Series<T> right, const Index* offset, Index K, Index samples, Index steps, V* out) {
    Index k = 0;
    for (; k + 6 <= K; k += 6)
        inner_sums_tile<T, V, rows, 6>(left, left_stride, right, offset + k, samples, steps, out + k, K);
    for (; k + 3 <= K; k += 3)
        inner_sums_tile<T, V, rows, 3>(left, left_stride, right, offset + k, samples, steps, out + k, K);
    for (; k < K; ++k)
        inner_sums_tile<T, V, rows, 1>(left, left_stride, right, offset + k, samples, steps, out + k, K);
}

// out (F, K) has one vector per sum, whose lanes the caller adds up once, at the end. The columns are `steps` whole
// vectors: everything after the last one must be zero in left and finite in right.
template <class T, class V = Vector<T, CHAINRULE_VECTOR_BYTES>>
void inner_sums(
    Series<T> left, Index left_stride, Series<T> right, const Index* offset, Index F, Index K, Index samples,
    Index steps, V* out) {
    constexpr int rows = CHAINRULE_VECTOR_BYTES == 64 ? 4 : 2;
    Index f = 0;
    for (; f + rows <= F; f += rows, left.data += rows * left_stride)
        inner_sums_rows<T, V, rows>(left, left_stride, right, offset, K, samples, steps, out + f * K);
    for (; f < F; ++f, left.data += left_stride)
        inner_sums_rows<T, V, 1>(left, left_stride, right, offset, K, samples, steps, out + f * K);
}

}  // namespace chainrule::CHAINRULE_ISA
