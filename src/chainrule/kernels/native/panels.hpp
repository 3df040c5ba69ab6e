// Products one panel at a time: some columns of a matrix, copied so that they fit in the first-level cache.
#pragma once

#include <algorithm>
#include <type_traits>

#include "scratch.hpp"
#include "simd.hpp"

namespace chainrule::CHAINRULE_ISA {

// Call work(n as a constant), for n from 1 to `most`.
template <int most, class Work>
inline void as_constant(int n, Work work) {
    if constexpr (most > 1)
        if (n < most) {
            as_constant<most - 1>(n, work);
            return;
        }
    work(std::integral_constant<int, most>{});
}

template <class T>
struct Panels {
    using V = Vector<T, CHAINRULE_VECTOR_BYTES>;
    static constexpr Index lanes = sizeof(V) / sizeof(T);
    static constexpr int most = 4;     // vectors per panel
    static constexpr Index ahead = 8;  // prefetch rows that lie far apart
    static constexpr Index far = 1024 / Index(sizeof(T));

    // Call work(first column, number of vectors as a constant) for each panel of H columns.
    template <class Work>
    static void panels(Index H, Work work) {
        for (Index h = 0; h < H; h += most * lanes)
            as_constant<most>(
                static_cast<int>(std::min<Index>(most, (H - h + lanes - 1) / lanes)), [&](auto vectors) { work(h, vectors); });
    }

    // A row of a panel: `width` numbers and, in the lanes after them, anything (that is not beyond `end`).
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
        for (Index r = 0; r < rows; ++r, from += H, panel += count * lanes) {
            if (H > far)
                for (Index h = 0; h < width; h += 64 / Index(sizeof(T))) __builtin_prefetch(from + ahead * H + h);
            if (from + count * lanes <= end) {
                for (int i = 0; i < count; ++i) store(panel + i * lanes, load<V>(from + i * lanes));
            } else {
                std::fill_n(panel, count * lanes, T(0));
                std::memcpy(panel, from, static_cast<std::size_t>(width) * sizeof(T));
            }
        }
    }
};

}  // namespace chainrule::CHAINRULE_ISA
