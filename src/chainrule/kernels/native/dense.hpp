// The product of two matrices, out (M, H) = left (M, K) right (K, H): all dense work of Affine.
//
//     y = xW + b      left is x (N, D)              right is W (D, H)
//     dW = x^T dy     left is x, read by columns    right is dy (N, H)
//     dx = dy W^T     left is dy (N, H)             right is W, read by columns
//
// Both are copied, `deep` of K at a time: of right a panel of some vectors' width into the first cache, of left the rows in
// tiles into the second. A tile of `out` stays in registers while the sum runs. Each number of `out` is summed in the same
// order, however the work is divided.
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
};

// A matrix whose element (i, j) is at[j * line + i].
template <class T>
struct ByColumns {
    const T* at;
    Index line;
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
        const Index highest = std::min(m1 - m0, high);
        Scratch<T> panel(deep * widest), tiles(highest * deep);
        for (Index m = m0; m < m1; m += high) {
            const Index rows = std::min(high, m1 - m), count = (rows + tall - 1) / tall;
            for (Index k = 0; k < K || k == 0; k += deep) {
                const Index depth = std::min(deep, K - k);
                for (Index t = 0; t < count; ++t) {
                    const auto [first, last] = stretch(rows, static_cast<int>(t), static_cast<int>(count));
                    copy_tile(left, m + first, last - first, k, depth, tiles.data() + first * deep);
                }
                for (Index h = h0; h < h1; h += widest) {
                    const Index width = std::min(widest, h1 - h);
                    as_constant<most>(static_cast<int>((width + lanes - 1) / lanes), [&](auto vectors) {
                        copy_panel<vectors.value>(right, k, depth, h, width, K, panel.data());
                        for (Index t = 0; t < count; ++t) {
                            const auto [first, last] = stretch(rows, static_cast<int>(t), static_cast<int>(count));
                            const T* bias = k == 0 && of_column ? of_column + h : nullptr;
                            as_constant<tall>(static_cast<int>(last - first), [&, first = first](auto tile_rows) {
                                tile<tile_rows.value, vectors.value>(
                                    tiles.data() + first * deep, panel.data(), depth, bias, add || k > 0, width,
                                    out + (m + first) * H + h, H);
                            });
                        }
                    });
                }
            }
        }
    }

private:
    using V = typename Panels<T>::V;
    static constexpr int tall = CHAINRULE_TILE_ROWS;  // rows of a tile, by the registers there are
    static constexpr Index deep = 128, high = 192;

    // out (rows, width) = [out] + [bias] + tile (rows of each k side by side) panel
    template <int rows, int count>
    static void tile(
        const T* left, const T* panel, Index depth, const T* bias, bool add, Index width, T* out, Index H) {
        V sum[rows][count] = {};
        for (Index k = 0; k < depth; ++k) {
            V b[count];
            for (int i = 0; i < count; ++i) b[i] = load<V>(panel + (k * count + i) * lanes);
            for (int r = 0; r < rows; ++r) {
                const T a = left[k * rows + r];
                for (int i = 0; i < count; ++i) sum[r][i] += a * b[i];
            }
        }
        for (int r = 0; r < rows; ++r, out += H) {
            V before[count] = {};
            if (bias) {
                take<count>(bias, width, before);
                for (int i = 0; i < count; ++i) sum[r][i] += before[i];
            }
            if (add) {
                take<count>(out, width, before);
                for (int i = 0; i < count; ++i) sum[r][i] += before[i];
            }
            Panels<T>::template give<count>(sum[r], width, out);
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

    static void copy_tile(ByRows<T> from, Index m, Index rows, Index k, Index depth, T* to) {
        for (Index r = 0; r < rows; ++r) {
            const T* row = from.at + (m + r) * from.line + k;
            for (Index i = 0; i < depth; ++i) to[i * rows + r] = row[i];
        }
    }

    static void copy_tile(ByColumns<T> from, Index m, Index rows, Index k, Index depth, T* to) {
        for (Index i = 0; i < depth; ++i, to += rows) {
            const T* column = from.at + (k + i) * from.line + m;
            for (Index r = 0; r < rows; ++r) to[r] = column[r];
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

// All of out, divided by columns or rows, so that each thread copies little; `after` is called for each part: with its rows
// [m0, m1) and columns [h0, h1).
template <class T, class Left, class Right, class After>
void dense_product(
    Left left, Right right, const T* of_column, bool add, T* out, Index M, Index K, Index H, After after) {
    const bool by_columns = H > M;
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
