// The product of two matrices, out (M, H) = left (M, K) right (K, H): all dense work of Affine.
//
//     y = xW + b      left is x (N, D)              right is W (D, H)
//     dW = x^T dy     left is x, read by columns    right is dy (N, H)
//     dx = dy W^T     left is dy (N, H)             right is W, read by columns
//
// and the use of each number of the product: it is written, or updates a weight at once (descent.hpp).
//
// A panel of right, some vectors wide and `deep` rows of K, is copied into the first-level cache, and left streams past it,
// some rows at a time: a tile of `out` stays in registers during the sum. Each number of `out` is summed in the same order,
// however the work is divided.
#pragma once

#include <algorithm>
#include <cstring>
#include <type_traits>

#include "panels.hpp"
#include "scratch.hpp"
#include "threads.hpp"

namespace chainrule::CHAINRULE_ISA {
namespace {

// A matrix whose element (i, j) is at[i * line + j]. Its memory ends at `end`, or with its last line.
template <class T>
struct ByRows {
    const T* at;
    Index line;
    const T* end = nullptr;

    T operator()(Index i, Index j) const { return at[i * line + j]; }
    ByRows from(Index i, Index j) const { return {at + i * line + j, line, end}; }
};

// A matrix whose element (i, j) is at[j * line + i].
template <class T>
struct ByColumns {
    const T* at;
    Index line;

    T operator()(Index i, Index j) const { return at[j * line + i]; }
    ByColumns from(Index i, Index j) const { return {at + j * line + i, line}; }
};

// A matrix whose panels have been copied beforehand (Dense::pack), for one that is multiplied by many others.
template <class T>
struct Packed {
    const T* panels;
    Index line;  // its columns, in whole vectors
};

// `width` numbers of a row; never reads beyond the width (as Panels::take does), where another thread may be writing.
template <int count, class T, class V>
inline void take_row(const T* from, Index width, V* row) {
    if (width == count * Panels<T>::lanes) {
        for (int i = 0; i < count; ++i) row[i] = load<V>(from + i * Panels<T>::lanes);
    } else {
        std::memcpy(row, from, static_cast<std::size_t>(width) * sizeof(T));
    }
}

template <int count, class T, class V>
inline void give_row(const V* row, Index width, T* to) {
    if (width == count * Panels<T>::lanes) {
        for (int i = 0; i < count; ++i) store(to + i * Panels<T>::lanes, row[i]);
    } else {
        Panels<T>::template give<count>(row, width, to);
    }
}

// What happens to the sums: they are written to out (M, H), or added to it if `add`.
template <class T>
struct Written {
    T* out;
    Index line;
    bool add;

    // `more`: these are not the first sums of this position
    template <int count, class V>
    void operator()(const V* sum, Index m, Index h, Index width, bool more) const {
        T* to = out + m * line + h;
        V row[count] = {};  // a copy, so that the sums need no memory
        if (add || more) take_row<count>(to, width, row);
        for (int i = 0; i < count; ++i) row[i] += sum[i];
        give_row<count>(row, width, to);
    }
};

template <class T>
class Dense {
public:
    static constexpr int most = CHAINRULE_TILE_VECTORS;
    static constexpr Index lanes = Panels<T>::lanes, widest = most * lanes;
    static constexpr Index deep = 128;  // rows of K summed before `to` is called for a position again

    // Rows [m0, m1) and columns [h0, h1) of the product. of_column (H) is added to the sum if it is not null.
    template <class Left, class Right, class To>
    static void block(
        Left left, Right right, const T* of_column, To to, Index K, Index m0, Index m1, Index h0, Index h1) {
        if (h1 - h0 <= 2 * lanes) {
            block_of<2, CHAINRULE_TILE_ROWS * CHAINRULE_TILE_VECTORS / 2>(left, right, of_column, to, K, m0, m1, h0, h1);
        } else {
            block_of<most, CHAINRULE_TILE_ROWS>(left, right, of_column, to, K, m0, m1, h0, h1);
        }
    }

    // The memory that the panels of right (K, H) take, and right with its panels copied there.
    static Index packed_size(Index K, Index H) { return K * whole(H); }

    template <class Right>
    static Packed<T> pack(Right right, Index K, Index H, T* memory) {
        if (H <= 2 * lanes) {
            pack_of<2>(right, K, H, memory);
        } else {
            pack_of<most>(right, K, H, memory);
        }
        return {memory, whole(H)};
    }

private:
    using V = typename Panels<T>::V;
    static constexpr Index high = 192;

    static Index whole(Index H) { return (H + lanes - 1) / lanes * lanes; }

    // With tiles of up to this many vectors and rows, limited by the registers.
    template <int wide, int tall, class Left, class Right, class To>
    static void block_of(
        Left left, Right right, const T* of_column, To to, Index K, Index m0, Index m1, Index h0, Index h1) {
        Scratch<T> panel(deep * wide * lanes), memory(std::is_same_v<Left, ByColumns<T>> ? deep * apart : 0);
        for (Index m = m0; m < m1; m += high) {
            const Index rows = std::min(high, m1 - m), count = (rows + tall - 1) / tall;
            for (Index k = 0; k < K || k == 0; k += deep) {
                const Index depth = std::min(deep, K - k);
                const Left from = closer(left.from(m, k), rows, depth, memory.data());
                for (Index h = h0; h < h1; h += wide * lanes) {
                    const Index width = std::min(wide * lanes, h1 - h);
                    const T* bias = k == 0 && of_column ? of_column + h : nullptr;
                    as_constant<wide>(static_cast<int>((width + lanes - 1) / lanes), [&](auto vectors) {
                        const T* at = panel_of<vectors.value>(right, k, depth, h, width, K, panel.data());
                        for (Index t = 0; t < count; ++t) {
                            const Index first = m + rows * t / count, last = m + rows * (t + 1) / count;
                            as_constant<tall>(static_cast<int>(last - first), [&](auto tile_rows) {
                                tile<tile_rows.value, vectors.value>(
                                    from.from(first - m, 0), at, depth, bias, to, first, h, width, k > 0);
                            });
                        }
                    });
                }
            }
        }
    }

    // to(left (rows, depth) panel [+ bias]): the sums of the rows from m on and of `width` columns from h on
    template <int rows, int count, class Left, class To>
    static void tile(
        Left left, const T* panel, Index depth, const T* bias, To to, Index m, Index h, Index width, bool more) {
        V sum[rows][count] = {};
        if (bias) {
            V of_column[count] = {};
            take_row<count>(bias, width, of_column);
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
        for (int r = 0; r < rows; ++r) to.template operator()<count>(sum[r], m + r, h, width, more);
    }

    // If left is read by columns, the numbers that a tile reads in turn lie in lines of memory that may be a power of two
    // apart, which evict each other from the cache: so they are copied to where they do not.
    static constexpr Index apart = high + 16;

    static ByColumns<T> closer(ByColumns<T> left, Index rows, Index depth, T* memory) {
        for (Index k = 0; k < depth; ++k) std::copy_n(left.at + k * left.line, rows, memory + k * apart);
        return {memory, apart};
    }

    template <class Left>
    static Left closer(Left left, Index, Index, T*) {
        return left;
    }

    template <int wide, class Right>
    static void pack_of(Right right, Index K, Index H, T* memory) {
        for (Index k = 0; k < K; k += deep) {
            const Index depth = std::min(deep, K - k);
            for (Index h = 0; h < H; h += wide * lanes) {
                const Index width = std::min(wide * lanes, H - h);
                as_constant<wide>(static_cast<int>((width + lanes - 1) / lanes), [&](auto vectors) {
                    copy_panel<vectors.value>(right, k, depth, h, width, K, memory + k * whole(H) + h * depth);
                });
            }
        }
    }

    // Rows [k, k + depth) and `width` columns from h on: copied into `memory`, or where they were packed.
    template <int count, class Right>
    static const T* panel_of(Right right, Index k, Index depth, Index h, Index width, Index K, T* memory) {
        copy_panel<count>(right, k, depth, h, width, K, memory);
        return memory;
    }

    template <int count>
    static const T* panel_of(Packed<T> right, Index k, Index depth, Index h, Index, Index, T*) {
        return right.panels + k * right.line + h * depth;
    }

    template <int count>
    static void copy_panel(ByRows<T> from, Index k, Index depth, Index h, Index width, Index K, T* panel) {
        const T* end = from.end ? from.end : from.at + K * from.line;
        Panels<T>::template copy_panel<count>(from.at + k * from.line + h, end, from.line, depth, width, panel);
    }

    template <int count>
    static void copy_panel(ByColumns<T> from, Index k, Index depth, Index h, Index width, Index, T* panel) {
        constexpr Index line = count * lanes;
        if (width < line) std::fill(panel, panel + depth * line, T(0));
        transpose(from.at + h * from.line + k, from.line, panel, width, depth, line);
    }
};

// Whether the product is divided by columns, since right is too large for each thread to copy all of it.
template <class T>
bool divides_columns(Index M, Index K, Index H) {
    return H > M && K * H * Index(sizeof(T)) > (Index{1} << 20);
}

// This part of the product: some of its rows, which the same thread then finds in its cache in the next layer, or some of its
// columns. `after` is called with the part's rows [m0, m1) and columns [h0, h1).
template <class T, class Left, class Right, class To, class After>
void dense_part(
    Left left, Right right, const T* of_column, To to, Index M, Index K, Index H, int part, int parts, After after) {
    const bool columns = divides_columns<T>(M, K, H);
    const auto [first, last] = columns ? stretch(H, part, parts, Dense<T>::widest) : stretch(M, part, parts);
    if (first == last) return;
    const Index m0 = columns ? 0 : first, m1 = columns ? M : last, h0 = columns ? first : 0, h1 = columns ? last : H;
    Dense<T>::block(left, right, of_column, to, K, m0, m1, h0, h1);
    after(m0, m1, h0, h1);
}

// The whole product; `after` is called for each part.
template <class T, class Left, class Right, class To, class After>
void dense_product(Left left, Right right, const T* of_column, To to, Index M, Index K, Index H, After after) {
    divide_if(M * K * H > kWorthIt, [&](int part, int parts) {
        dense_part(left, right, of_column, to, M, K, H, part, parts, after);
    });
}

template <class T, class Left, class Right, class After>
void dense_product(
    Left left, Right right, const T* of_column, bool add, T* out, Index M, Index K, Index H, After after) {
    dense_product(left, right, of_column, Written<T>{out, H, add}, M, K, H, after);
}

template <class T, class Left, class Right>
void dense_product(Left left, Right right, const T* of_column, bool add, T* out, Index M, Index K, Index H) {
    dense_product(left, right, of_column, add, out, M, K, H, [](Index, Index, Index, Index) {});
}

}  // namespace
}  // namespace chainrule::CHAINRULE_ISA
