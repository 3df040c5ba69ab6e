// Products with a matrix x that is mostly zeros, such as the pixels of written digits: only the others are multiplied.
// x holds numbers or, to be scaled by a factor, bytes.
// (Zero times an infinite or undefined number is left out too, where a product over everything would be undefined.)
//
// Results are computed a panel at a time: some columns of the dense matrix, copied so that they lie in the first cache.
#pragma once

#include <algorithm>

#include "scratch.hpp"
#include "simd.hpp"

namespace chainrule::CHAINRULE_ISA {

template <class T, class S = T>
struct Thin {
    using V = Vector<T, CHAINRULE_VECTOR_BYTES>;
    static constexpr Index lanes = sizeof(V) / sizeof(T);
    static constexpr int most = 4;            // vectors of a panel
    static constexpr Index some = 128;        // rows of x at a time, so that what is noted of them stays in the cache
    static constexpr Index cached = 24 << 10;  // bytes of a panel

    // Whether it pays: a third or less of a sample of rows is not zero, and there are vectors to take.
    static bool pays(const S* x, Index N, Index D, Index H) {
        if (N * D * H <= kWorthIt || H < lanes) return false;
        Index count = 0, seen = 0;
        for (Index n = 0; n < N; n += std::max<Index>(1, N / 8), seen += D)
            for (Index d = 0; d < D; d += 64) count += __builtin_popcountll(nonzero(x + n * D + d, std::min<Index>(64, D - d)));
        return 3 * count <= seen;
    }

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

    template <int count>
    static void add_rows(const std::int32_t* row, const T* value, Index entries, const T* panel, V* sum) {
        V total[count];
        for (int i = 0; i < count; ++i) total[i] = sum[i];
        for (Index e = 0; e < entries; ++e) {
            const T* line = panel + row[e] * (count * lanes);
            for (int i = 0; i < count; ++i) total[i] += value[e] * load<V>(line + i * lanes);
        }
        for (int i = 0; i < count; ++i) sum[i] = total[i];
    }

    // y (N, H) = factor xW, from columns [first, last) of x alone
    static void forward(
        const S* x, T factor, const T* W, T* y, Index N, Index D, Index H, Index first, Index last) {
        constexpr Index widest = most * lanes;
        constexpr Index highest = cached / (widest * Index(sizeof(T)));
        const Index blocks = (last - first + highest - 1) / highest;
        const Index block = std::min(highest, ((last - first) / std::max<Index>(blocks, 1) / 16 + 1) * 16);
        const Index room = last - first + lanes;  // for the entries of a row
        Scratch<T> panel(block * widest), value(some * room);
        Scratch<V> sum(some * most);
        Scratch<std::int32_t> column(some * room), begin(some * (blocks + 1));
        for (Index n0 = 0; n0 < N; n0 += some) {
            const Index rows = std::min(some, N - n0);
            for (Index n = 0; n < rows; ++n) {
                std::int32_t entries = 0;
                for (Index k = 0; k < blocks; ++k) {
                    const Index at = n * room + entries, d = first + k * block;
                    begin[n * (blocks + 1) + k] = entries;
                    entries += gather_nonzero(
                        x + (n0 + n) * D + d, std::min(block, last - d), factor, column.data() + at, value.data() + at);
                }
                begin[n * (blocks + 1) + blocks] = entries;
            }
            panels(H, [&](Index h, auto vectors) {
                constexpr int count = vectors.value;
                const Index width = std::min<Index>(count * lanes, H - h);
                std::fill(sum.data(), sum.data() + rows * count, V{});
                for (Index k = 0; k < blocks; ++k) {
                    const Index d = first + k * block;
                    copy_panel<count>(W + d * H + h, W + D * H, H, std::min(block, last - d), width, panel.data());
                    for (Index n = 0; n < rows; ++n) {
                        const std::int32_t* range = begin.data() + n * (blocks + 1) + k;
                        const Index at = n * room + range[0];
                        add_rows<count>(
                            column.data() + at, value.data() + at, range[1] - range[0], panel.data(),
                            sum.data() + n * count);
                    }
                }
                for (Index n = 0; n < rows; ++n) give<count>(sum.data() + n * count, width, y + (n0 + n) * H + h);
            });
        }
    }

    // dW (D, H) += factor x^T dy, for columns [first, last) of x
    static void weight_gradient(
        const S* x, T factor, const T* dy, T* dW, Index N, Index D, Index H, Index first, Index last) {
        constexpr Index block = 64;  // columns of x whose entries are noted together
        const Index padded = (H + lanes - 1) / lanes * lanes;
        constexpr Index room = some + lanes;  // for the entries of a column
        Scratch<T> turned(some * padded), value(block * room);
        Scratch<S> column(block * some);
        Scratch<std::int32_t> row(block * room);
        std::int32_t entries[block];
        for (Index n0 = 0; n0 < N; n0 += some) {
            const Index rows = std::min(some, N - n0);
            panels(H, [&](Index h, auto vectors) {
                constexpr int count = vectors.value;
                copy_panel<count>(
                    dy + n0 * H + h, dy + N * H, H, rows, std::min<Index>(count * lanes, H - h), turned.data() + h * rows);
            });
            for (Index d0 = first; d0 < last; d0 += block) {
                const Index columns = std::min(block, last - d0);
                transpose(x + n0 * D + d0, D, column.data(), rows, columns, some);
                for (Index c = 0; c < columns; ++c)
                    entries[c] = gather_nonzero(
                        column.data() + c * some, rows, factor, row.data() + c * room, value.data() + c * room);
                panels(H, [&](Index h, auto vectors) {
                    constexpr int count = vectors.value;
                    const Index width = std::min<Index>(count * lanes, H - h);
                    for (Index c = 0; c < columns; ++c) {
                        V sum[count]{};
                        T* to = dW + (d0 + c) * H + h;
                        take<count>(to, dW + last * H, width, sum);
                        add_rows<count>(
                            row.data() + c * room, value.data() + c * room, entries[c], turned.data() + h * rows, sum);
                        give<count>(sum, width, to);
                    }
                });
            }
        }
    }
};

}  // namespace chainrule::CHAINRULE_ISA
