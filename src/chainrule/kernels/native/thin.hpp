// Products with a matrix x that is mostly zeros, such as the pixels of handwritten digits: only the others are multiplied.
// x has numbers or, scaled by a factor, bytes.
// (Zero times infinity or NaN is skipped too, where a full product would give NaN.)
#pragma once

#include <algorithm>

#include "panels.hpp"

namespace chainrule::CHAINRULE_ISA {

template <class T, class S = T>
struct Thin : Panels<T> {
    using V = typename Panels<T>::V;
    using Panels<T>::lanes;
    using Panels<T>::most;
    static constexpr Index some = 128;        // rows of x at a time, so that their lists stay in the cache
    static constexpr Index cached = 24 << 10;  // bytes of a panel

    // Whether it pays: at most a third of a sample of rows is nonzero, and the rows are long enough for vectors.
    static bool pays(const S* x, Index N, Index D, Index H) {
        if (N * D * H <= kWorthIt || H < lanes) return false;
        Index count = 0, seen = 0;
        for (Index n = 0; n < N; n += std::max<Index>(1, N / 8), seen += D)
            for (Index d = 0; d < D; d += 64) count += __builtin_popcountll(nonzero(x + n * D + d, std::min<Index>(64, D - d)));
        return 3 * count <= seen;
    }

    template <int count>
    static void add_rows(const std::int32_t* row, const T* value, Index entries, const T* panel, V* sum) {
        V even[count], odd[count] = {};  // two sums, since each addition waits for the one before it
        for (int i = 0; i < count; ++i) even[i] = sum[i];
        Index e = 0;
        for (; e + 2 <= entries; e += 2) {
            const T *line = panel + row[e] * (count * lanes), *next = panel + row[e + 1] * (count * lanes);
            for (int i = 0; i < count; ++i) even[i] += value[e] * load<V>(line + i * lanes);
            for (int i = 0; i < count; ++i) odd[i] += value[e + 1] * load<V>(next + i * lanes);
        }
        if (e < entries) {
            const T* line = panel + row[e] * (count * lanes);
            for (int i = 0; i < count; ++i) even[i] += value[e] * load<V>(line + i * lanes);
        }
        for (int i = 0; i < count; ++i) sum[i] = even[i] + odd[i];
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
            Panels<T>::panels(H, [&](Index h, auto vectors) {
                constexpr int count = vectors.value;
                const Index width = std::min<Index>(count * lanes, H - h);
                std::fill(sum.data(), sum.data() + rows * count, V{});
                for (Index k = 0; k < blocks; ++k) {
                    const Index d = first + k * block;
                    Panels<T>::template copy_panel<count>(W + d * H + h, W + D * H, H, std::min(block, last - d), width, panel.data());
                    for (Index n = 0; n < rows; ++n) {
                        const std::int32_t* range = begin.data() + n * (blocks + 1) + k;
                        const Index at = n * room + range[0];
                        add_rows<count>(
                            column.data() + at, value.data() + at, range[1] - range[0], panel.data(),
                            sum.data() + n * count);
                    }
                }
                for (Index n = 0; n < rows; ++n) Panels<T>::template give<count>(sum.data() + n * count, width, y + (n0 + n) * H + h);
            });
        }
    }

    // dW (D, H) += factor x^T dy, for columns [first, last) of x
    static void weight_gradient(
        const S* x, T factor, const T* dy, T* dW, Index N, Index D, Index H, Index first, Index last) {
        constexpr Index block = 64;  // columns of x whose entries are listed together
        const Index padded = (H + lanes - 1) / lanes * lanes;
        constexpr Index room = some + lanes;  // for the entries of a column
        Scratch<T> turned(some * padded), value(block * room);
        Scratch<S> column(block * some);
        Scratch<std::int32_t> row(block * room);
        std::int32_t entries[block];
        for (Index n0 = 0; n0 < N; n0 += some) {
            const Index rows = std::min(some, N - n0);
            Panels<T>::panels(H, [&](Index h, auto vectors) {
                constexpr int count = vectors.value;
                Panels<T>::template copy_panel<count>(
                    dy + n0 * H + h, dy + N * H, H, rows, std::min<Index>(count * lanes, H - h), turned.data() + h * rows);
            });
            for (Index d0 = first; d0 < last; d0 += block) {
                const Index columns = std::min(block, last - d0);
                transpose(x + n0 * D + d0, D, column.data(), rows, columns, some);
                for (Index c = 0; c < columns; ++c)
                    entries[c] = gather_nonzero(
                        column.data() + c * some, rows, factor, row.data() + c * room, value.data() + c * room);
                Panels<T>::panels(H, [&](Index h, auto vectors) {
                    constexpr int count = vectors.value;
                    const Index width = std::min<Index>(count * lanes, H - h);
                    for (Index c = 0; c < columns; ++c) {
                        V sum[count]{};
                        T* to = dW + (d0 + c) * H + h;
                        Panels<T>::template take<count>(to, dW + last * H, width, sum);
                        add_rows<count>(
                            row.data() + c * room, value.data() + c * room, entries[c], turned.data() + h * rows, sum);
                        Panels<T>::template give<count>(sum, width, to);
                    }
                });
            }
        }
    }
};

}  // namespace chainrule::CHAINRULE_ISA
