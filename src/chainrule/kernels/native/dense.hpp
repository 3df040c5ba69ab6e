// The product of two matrices, out (M, H) = left (M, K) right (K, H): all dense work of Affine.
//
//     y = xW + b      left is x (N, D)              right is W (D, H)
//     dW = x^T dy     left is x, read by columns    right is dy (N, H)
//     dx = dy W^T     left is dy (N, H)             right is W, read by columns
//
// Of right, a panel of some vectors' width and `deep` of K is copied into the first cache, and left goes past it, some rows at a
// time: a tile of `out` stays in registers while the sum runs. Each number of `out` is summed in the same order, however the
// work is divided.
#pragma once

#include <algorithm>
#include <cstring>
#include <type_traits>

#include "panels.hpp"
#include "scratch.hpp"
#include "threads.hpp"

namespace chainrule::CHAINRULE_ISA {
namespace {

// A matrix whose element (i, j) is at[i * line + j].
template <class T>
struct ByRows {
    const T* at;
    Index line;

    T operator()(Index i, Index j) const { return at[i * line + j]; }
    ByRows from(Index i, Index j) const { return {at + i * line + j, line}; }
};

// A matrix whose element (i, j) is at[j * line + i].
template <class T>
struct ByColumns {
    const T* at;
    Index line;

    T operator()(Index i, Index j) const { return at[j * line + i]; }
    ByColumns from(Index i, Index j) const { return {at + j * line + i, line}; }
};

template <class T>
class Dense {
public:
    static constexpr int most = CHAINRULE_TILE_VECTORS;
    static constexpr Index lanes = Panels<T>::lanes, widest = most * lanes;

    // Rows [m0, m1) and columns [h0, h1) of out. To the sum belong what stands in `out`, if `add`, and of_column (H) if it is
    // not null.
    template <class Left, class Right>
    static void block(
        Left left, Right right, const T* of_column, bool add, T* out, Index H, Index K, Index m0, Index m1, Index h0,
        Index h1) {
        if (h1 - h0 <= 2 * lanes) {
            block_of<2, CHAINRULE_TILE_ROWS * CHAINRULE_TILE_VECTORS / 2>(left, right, of_column, add, out, H, K, m0, m1, h0, h1);
        } else {
            block_of<most, CHAINRULE_TILE_ROWS>(left, right, of_column, add, out, H, K, m0, m1, h0, h1);
        }
    }

private:
    using V = typename Panels<T>::V;
    static constexpr Index deep = 128, high = 192;

    // With tiles of up to so many vectors and rows, by the registers there are.
    template <int wide, int tall, class Left, class Right>
    static void block_of(
        Left left, Right right, const T* of_column, bool add, T* out, Index H, Index K, Index m0, Index m1, Index h0,
        Index h1) {
        Scratch<T> panel(deep * wide * lanes);
        for (Index m = m0; m < m1; m += high) {
            const Index rows = std::min(high, m1 - m), count = (rows + tall - 1) / tall;
            for (Index k = 0; k < K || k == 0; k += deep) {
                const Index depth = std::min(deep, K - k);
                for (Index h = h0; h < h1; h += wide * lanes) {
                    const Index width = std::min(wide * lanes, h1 - h);
                    const T* bias = k == 0 && of_column ? of_column + h : nullptr;
                    as_constant<wide>(static_cast<int>((width + lanes - 1) / lanes), [&](auto vectors) {
                        copy_panel<vectors.value>(right, k, depth, h, width, K, panel.data());
                        for (Index t = 0; t < count; ++t) {
                            const Index first = m + rows * t / count, last = m + rows * (t + 1) / count;
                            as_constant<tall>(static_cast<int>(last - first), [&](auto tile_rows) {
                                tile<tile_rows.value, vectors.value>(
                                    left.from(first, k), panel.data(), depth, bias, add || k > 0, width, out + first * H + h,
                                    H);
                            });
                        }
                    });
                }
            }
        }
    }

    // out (rows, width) = [out] + [bias] + left (rows, depth) panel
    template <int rows, int count, class Left>
    static void tile(
        Left left, const T* panel, Index depth, const T* bias, bool add, Index width, T* out, Index H) {
        V sum[rows][count] = {};
        if (bias) {
            V of_column[count] = {};
            take<count>(bias, width, of_column);
            for (int r = 0; r < rows; ++r)
                for (int i = 0; i < count; ++i) sum[r][i] = of_column[i];
        }
        for (Index k = 0; k < depth; ++k) {
            V b[count];
            for (int i = 0; i < count; ++i) b[i] = load<V>(panel + (k * count + i) * lanes);
            for (int r = 0; r < rows; ++r) {
                const T a = left(r, k);
                for (int i = 0; i < count; ++i) sum[r][i] += a * b[i];
            }
        }
        for (int r = 0; r < rows; ++r, out += H) {
            V row[count] = {};  // a copy, so that the sums need no memory
            if (add) take<count>(out, width, row);
            for (int i = 0; i < count; ++i) row[i] += sum[r][i];
            give<count>(row, width, out);
        }
    }

    // As Panels::take, but never reads beyond the width: there another thread may be writing.
    template <int count>
    static void take(const T* from, Index width, V* row) {
        if (width == count * lanes) {
            for (int i = 0; i < count; ++i) row[i] = load<V>(from + i * lanes);
        } else {
            std::memcpy(row, from, static_cast<std::size_t>(width) * sizeof(T));
        }
    }

    template <int count>
    static void give(const V* row, Index width, T* to) {
        if (width == count * lanes) {
            for (int i = 0; i < count; ++i) store(to + i * lanes, row[i]);
        } else {
            Panels<T>::template give<count>(row, width, to);
        }
    }

    template <int count>
    static void copy_panel(ByRows<T> from, Index k, Index depth, Index h, Index width, Index K, T* panel) {
        Panels<T>::template copy_panel<count>(
            from.at + k * from.line + h, from.at + K * from.line, from.line, depth, width, panel);
    }

    template <int count>
    static void copy_panel(ByColumns<T> from, Index k, Index depth, Index h, Index width, Index, T* panel) {
        constexpr Index line = count * lanes;
        if (width < line) std::fill(panel, panel + depth * line, T(0));
        transpose(from.at + h * from.line + k, from.line, panel, width, depth, line);
    }
};

// All of out, divided by rows, which the same thread then finds in its cache in the next layer; or by columns where right is
// too large for each to copy all of it. `after` is called for each part: with its rows [m0, m1) and columns [h0, h1).
template <class T, class Left, class Right, class After>
void dense_product(
    Left left, Right right, const T* of_column, bool add, T* out, Index M, Index K, Index H, After after) {
    const bool by_columns = H > M && K * H * Index(sizeof(T)) > (Index{1} << 20);
    divide_if(M * K * H > kWorthIt, [&](int part, int parts) {
        const auto [first, last] = by_columns ? stretch(H, part, parts, Dense<T>::widest) : stretch(M, part, parts);
        if (first == last) return;
        const Index m0 = by_columns ? 0 : first, m1 = by_columns ? M : last;
        const Index h0 = by_columns ? first : 0, h1 = by_columns ? last : H;
        Dense<T>::block(left, right, of_column, add, out, H, K, m0, m1, h0, h1);
        after(m0, m1, h0, h1);
    });
}

template <class T, class Left, class Right>
void dense_product(Left left, Right right, const T* of_column, bool add, T* out, Index M, Index K, Index H) {
    dense_product(left, right, of_column, add, out, M, K, H, [](Index, Index, Index, Index) {});
}

}  // namespace
}  // namespace chainrule::CHAINRULE_ISA
