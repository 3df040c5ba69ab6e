// Products a panel at a time: some columns of a matrix, copied so that they lie in the first cache.
#pragma once

#include <algorithm>
#include <type_traits>

#include "scratch.hpp"
#include "simd.hpp"

namespace chainrule::CHAINRULE_ISA {

template <class T>
struct Panels {
    using V = Vector<T, CHAINRULE_VECTOR_BYTES>;
    static constexpr Index lanes = sizeof(V) / sizeof(T);
    static constexpr int most = 4;       // vectors of a panel
    static constexpr Index deep = 128;   // rows of a panel
    static constexpr int tall = CHAINRULE_VECTOR_BYTES == 64 ? 6 : 2;  // rows of a tile, by the registers there are

    // Call work(first column, how many vectors, as a constant) for each panel of H columns.
    template <class Work>
    static void panels(Index H, Work work) {
        for (Index h = 0; h < H; h += most * lanes) {
            switch (std::min<Index>(most, (H - h + lanes - 1) / lanes)) {
                case 1: work(h, std::integral_constant<int, 1>{}); break;
                case 2: work(h, std::integral_constant<int, 2>{}); break;
                case 3: work(h, std::integral_constant<int, 3>{}); break;
                default: work(h, std::integral_constant<int, most>{}); break;
            }
        }
    }

    // A row of a panel: `width` numbers and, in the lanes beyond them, anything (what is not beyond `end`).
    template <int count>
    static void take(const T* from, const T* end, Index width, V* row) {
        if (from + count * lanes <= end) {
            for (int i = 0; i < count; ++i) row[i] = load<V>(from + i * lanes);
        } else {
            std::memcpy(row, from, static_cast<std::size_t>(width) * sizeof(T));
        }
    }

    template <int count>
    static void give(const V* row, Index width, T* to) {
        for (int i = 0; i + 1 < count; ++i) store(to + i * lanes, row[i]);
        constexpr Index whole = (count - 1) * lanes;
        store_first(row[count - 1], width - whole, to + whole);
    }

    template <int count>
    static void copy_panel(const T* from, const T* end, Index H, Index rows, Index width, T* panel) {
        for (Index r = 0; r < rows; ++r) {
            V row[count]{};
            take<count>(from + r * H, end, width, row);
            for (int i = 0; i < count; ++i) store(panel + (r * count + i) * lanes, row[i]);
        }
    }

    // rows of y = xW + b: x and y are at their first rows
    static void times(const T* x, const T* W, const T* b, T* y, Index rows, Index D, Index H) {
        Scratch<T> panel(deep * most * lanes), sums(rows * most * lanes);
        panels(H, [&](Index h, auto vectors) {
            constexpr int count = vectors.value;
            constexpr Index line = count * lanes;
            const Index width = std::min<Index>(line, H - h);
            V bias[count]{};
            take<count>(b + h, b + H, width, bias);
            for (Index n = 0; n < rows; ++n)
                for (int i = 0; i < count; ++i) store(sums.data() + n * line + i * lanes, bias[i]);
            for (Index d = 0; d < D; d += deep) {
                const Index depth = std::min(deep, D - d);
                copy_panel<count>(W + d * H + h, W + D * H, H, depth, width, panel.data());
                Index n = 0;
                for (; n + tall <= rows; n += tall)
                    add_tile<tall, count>(x + n * D + d, D, panel.data(), depth, sums.data() + n * line);
                for (; n < rows; ++n) add_tile<1, count>(x + n * D + d, D, panel.data(), depth, sums.data() + n * line);
            }
            for (Index n = 0; n < rows; ++n) {
                V row[count];
                for (int i = 0; i < count; ++i) row[i] = load<V>(sums.data() + n * line + i * lanes);
                give<count>(row, width, y + n * H + h);
            }
        });
    }

    // sums (rows, count vectors) += x panel
    template <int rows, int count>
    static void add_tile(const T* x, Index D, const T* panel, Index depth, T* sums) {
        constexpr Index line = count * lanes;
        V sum[rows][count];
        for (int r = 0; r < rows; ++r)
            for (int i = 0; i < count; ++i) sum[r][i] = load<V>(sums + r * line + i * lanes);
        for (Index k = 0; k < depth; ++k) {
            V from[count];
            for (int i = 0; i < count; ++i) from[i] = load<V>(panel + k * line + i * lanes);
            for (int r = 0; r < rows; ++r) {
                const T a = x[r * D + k];
                for (int i = 0; i < count; ++i) sum[r][i] += a * from[i];
            }
        }
        for (int r = 0; r < rows; ++r)
            for (int i = 0; i < count; ++i) store(sums + r * line + i * lanes, sum[r][i]);
    }
};

}  // namespace chainrule::CHAINRULE_ISA
