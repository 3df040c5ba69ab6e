// Convolution: forward, and the gradients of its weights, bias and input.
//
// Each gradient is computed in one of two ways: over all of dy, here, or over its nonzero numbers only, in
// sparse_conv.hpp.
#pragma once

#include <algorithm>
#include <cstddef>

#include "products.hpp"
#include "sparse_conv.hpp"
#include "sums.hpp"
#include "threads.hpp"
#include "windows.hpp"

namespace chainrule::CHAINRULE_ISA {
namespace {

// Convolution of every sample and group; `take(n, f, wide, count)` gets the outputs of `count` filters from f on, in rows
// in.line apart and in.size from filter to filter. Divided by samples or, if there are too few, by filters.
template <class T, class Take>
void convolve(
    const T* x, const T* W, const T* b, T* straight_out, const Windows& at, Index filters, Index groups, Take take) {
    const Index K = at.channels / groups * at.area(), some = filters / groups;
    divide_if(at.samples * filters * K * at.places() > kWorthIt, [&](int part, int parts) {
        const bool by_samples = at.samples >= parts;
        const auto [first, last] = by_samples ? stretch(at.samples, part, parts) : Stretch{0, at.samples};
        const auto [from, to] = by_samples ? Stretch{0, some} : stretch(some, part, parts, CHAINRULE_TILE_ROWS);
        if (first == last || from == to) return;
        Images<T> images(at, groups);
        const Reading& in = images.reading();
        const bool straight = straight_out != nullptr && in.line == at.out_width;
        Scratch<T> wide(straight ? 0 : some * in.size);
        for (Index n = first; n < last; ++n) {
            images.open(x + n * at.channels * at.pixels());
            for (Index g = 0; g < groups; ++g) {
                const Index f = g * some + from;
                T* out = straight ? straight_out + (n * filters + f) * at.places() : wide.data();
                rows_times(
                    W + f * K, K, images.group(g), in.offset.data(), to - from, K, in.size, b ? b + f : nullptr,
                    (const T*)nullptr, out, in.size);
                if (!straight) take(n, f, out, to - from, in);
            }
        }
    });
}

// The same with a vector of filters at each position instead of a vector of positions for each filter: it computes no
// position outside the image, and any stride is as good as 1. The output has filters last, in rows of whole vectors.
template <class T>
struct FiltersLast {
    static constexpr Index lanes = CHAINRULE_VECTOR_BYTES / sizeof(T);

    const Windows& at;
    Index C, some, K, columns, height, width;

    FiltersLast(const Windows& at_, Index filters, Index groups)
        : at(at_),
          C(at.channels / groups),
          some(filters / groups),
          K(C * at.area()),
          columns(whole(some)),
          height(at.height + at.top + at.bottom),
          width(at.width + at.left + at.right) {}

    // Whether this multiplies fewer vectors than `convolve`.
    bool pays() const {
        const bool direct = at.stride_down == 1 && at.stride_across == 1;
        const Index size = direct ? (at.out_height - 1) * width + at.out_width : at.places();
        return 2 * some >= lanes && columns / lanes * at.places() <= some * ((size + lanes - 1) / lanes);
    }

    // Filters [first, first + count) of a group, in `columns` numbers for each position.
    struct Filters {
        Index first, count, columns;
    };

    // take(n, g, out, first, last, filters): rows of outputs [first, last) of a sample and group; `together` rows stay together.
    // Divided by samples or, if there are too few, by filters or by rows, whichever gives shares more nearly equal.
    template <class Take>
    void convolve(const T* x, const T* W, const T* b, Index groups, Index together, Take take) const {
        divide_if(at.samples * groups * some * K * at.places() > kWorthIt, [&](int part, int parts) {
            const bool by_samples = at.samples >= parts, by_filters = !by_samples && filters_divide_better(parts, together);
            const auto [first, last] = by_samples ? stretch(at.samples, part, parts) : Stretch{0, at.samples};
            const auto [from, to] =
                by_samples || by_filters ? Stretch{0, at.out_height} : stretch(at.out_height, part, parts, together);
            const auto [f0, f1] = by_filters ? stretch(some, part, parts, lanes) : Stretch{0, some};
            if (first == last || from == to || f0 == f1) return;
            const Filters own{f0, f1 - f0, whole(f1 - f0)};
            const bool padded = at.top || at.bottom || at.left || at.right;
            // each part transposes its weights itself, which takes less time than waiting for the others
            Scratch<T> turned(groups * K * own.columns), bias(groups * own.columns);
            if (own.columns > own.count) std::fill_n(turned.data(), groups * K * own.columns, T(0));
            std::fill_n(bias.data(), groups * own.columns, T(0));
            for (Index g = 0; g < groups; ++g) {
                transpose(W + (g * some + f0) * K, K, turned.data() + g * K * own.columns, own.count, K, own.columns);
                if (b) std::copy_n(b + g * some + f0, own.count, bias.data() + g * own.columns);
            }
            Scratch<T> larger(padded ? at.channels * height * width : 0), out(at.places() * own.columns);
            Scratch<Index> begin((to - from) * at.out_width), offset(K);
            Index* next = begin.data();
            for (Index p = from; p < to; ++p)
                for (Index q = 0; q < at.out_width; ++q) *next++ = p * at.stride_down * width + q * at.stride_across;
            for (Index k = 0; k < K; ++k) {
                const Index i = k / at.kernel_width % at.kernel_height, j = k % at.kernel_width;
                offset[k] = (k / at.area() * height + i) * width + j;
            }
            for (Index n = first; n < last; ++n) {
                const T* image = x + n * at.channels * at.pixels();
                if (padded) {
                    copy_into(image, at.channels, at.height, at.width, larger.data(), height, width, at.top, at.left);
                    image = larger.data();
                }
                for (Index g = 0; g < groups; ++g) {
                    windows_times(
                        image + g * C * height * width, begin.data(), (to - from) * at.out_width,
                        offset.data(), K, turned.data() + g * K * own.columns, own.columns, bias.data() + g * own.columns,
                        out.data() + from * at.out_width * own.columns);
                    take(n, g, out.data(), from, to, own);
                }
            }
        });
    }

private:
    static Index whole(Index filters) { return (filters + lanes - 1) / lanes * lanes; }

    bool filters_divide_better(Index parts, Index together) const {
        const Index vectors = columns / lanes, rows = (at.out_height + together - 1) / together;
        return (vectors + parts - 1) / parts * rows < (rows + parts - 1) / parts * vectors;
    }
};

// y[n, f, place] = b[f] + sum over k of W[f, k] window[n, place, k], with the K numbers k = (c, i, j) of a window.
template <class T>
void conv_forward(const T* x, const T* W, const T* b, T* y, const Windows& at, Index filters, Index groups) {
    const FiltersLast<T> last(at, filters, groups);
    if (last.pays()) {
        last.convolve(x, W, b, groups, 1, [&](Index n, Index g, const T* out, Index from, Index to, const auto& own) {
            const Index begin = from * at.out_width, count = (to - from) * at.out_width;
            T* to_y = y + (n * filters + g * last.some + own.first) * at.places() + begin;
            transpose(out + begin * own.columns, own.columns, to_y, count, own.count, at.places());
        });
        return;
    }
    convolve(x, W, b, y, at, filters, groups, [&](Index n, Index f, const T* wide, Index count, const Reading& in) {
        for (Index i = 0; i < count; ++i)
            for (Index p = 0; p < at.out_height; ++p)
                std::copy_n(
                    wide + i * in.size + p * in.line, at.out_width,
                    y + (n * filters + f + i) * at.places() + p * at.out_width);
    });
}

template <class T>
void dense_weight_gradient(const T* x, const T* dy, T* dW, const Windows& at, Index filters, Index groups) {
    using V = Vector<T, CHAINRULE_VECTOR_BYTES>;
    constexpr Index lanes = sizeof(V) / sizeof(T);
    const Index C = at.channels / groups, K = C * at.area(), some = filters / groups;
    const Reading in(at, C);
    const Index steps = (in.size + lanes - 1) / lanes, size = steps * lanes;
    // the image (or its columns) with zeros around it, and after it as far as the last vector reads
    const Index image = in.direct ? at.channels * in.height * in.width + size - in.size : groups * K * at.places() + lanes;
    // as many samples at a time as fit into the second-level cache with their gradients
    const Index together = std::max<Index>(1, (Index{384} << 10) / ((filters * size + image) * Index(sizeof(T))));
    const int most = kShares;
    Scratch<V> sums(most * filters * K);  // one per part, added in order at the end
    divide(most, [&](int part, int parts) {
        V* sum = sums.data() + part * filters * K;
        std::fill(sum, sum + filters * K, V{});
        const auto [first, last] = stretch(at.samples, part, parts);
        if (first == last) return;
        Scratch<T> images(together * image), flats(together * filters * size);
        Scratch<T> padded(in.direct ? 0 : at.channels * in.height * in.width);
        std::fill(images.data(), images.data() + together * image, T(0));
        std::fill(flats.data(), flats.data() + together * filters * size, T(0));
        for (Index begin = first; begin < last; begin += together) {
            const Index end = std::min(begin + together, last);
            for (Index n = begin; n < end; ++n) {
                T* target = in.direct ? images.data() + (n - begin) * image : padded.data();
                copy_into(
                    x + n * at.channels * at.pixels(), at.channels, at.height, at.width, target, in.height, in.width,
                    at.top, at.left);
                for (Index g = 0; g < groups && !in.direct; ++g)
                    windows_to_columns(
                        padded.data() + g * C * in.height * in.width, C, in.height, in.width, at,
                        images.data() + (n - begin) * image + g * K * at.places());
                spread(
                    dy + n * filters * at.places(), filters, at.out_height, at.out_width,
                    flats.data() + (n - begin) * filters * size, size, in.line);
            }
            for (Index g = 0; g < groups; ++g) {
                const Index start = g * (in.direct ? C * in.height * in.width : K * at.places());
                inner_sums<T>(
                    {flats.data() + g * some * size, filters * size}, size, {images.data() + start, image},
                    in.offset.data(), some, K, end - begin, steps, sum + g * some * K);
            }
        }
    });
    for (Index i = 0; i < filters * K; ++i) {
        V total = sums[i];
        for (int part = 1; part < most; ++part) total += sums[part * filters * K + i];
        T number = T(0);
        for (Index lane = 0; lane < lanes; ++lane) number += total[lane];
        dW[i] = number;
    }
}

// y = ... + b[f]: db[f] is the sum of dy over samples and positions.
template <class T>
void conv_bias_gradient(const T* dy, T* db, Index samples, Index filters, Index places) {
    divide_if(samples * filters * places > kWorthIt, [&](int part, int parts) {
        const auto [first, last] = stretch(filters, part, parts);
        for (Index f = first; f < last; ++f)
            db[f] = sum_over<T>(samples, places, [&](Index n, Index s) { return dy[(n * filters + f) * places + s]; });
    });
}

// Stride 1: a convolution of dy, padded by the kernel size minus one, with the kernels flipped and channels and filters
// swapped.
template <class T>
void input_gradient_direct(const T* dy, const T* W, T* dx, const Windows& at, Index filters, Index groups) {
    const Index C = at.channels / groups, some = filters / groups, area = at.area(), K = some * area;
    const Index height = at.height + at.kernel_height - 1, width = at.width + at.kernel_width - 1;
    const Index top = at.kernel_height - 1 - at.top, left = at.kernel_width - 1 - at.left;
    Scratch<T> turned(groups * C * K);
    for (Index g = 0; g < groups; ++g)
        for (Index c = 0; c < C; ++c)
            for (Index f = 0; f < some; ++f)
                for (Index a = 0; a < area; ++a)
                    turned[((g * C + c) * some + f) * area + a] = W[((g * some + f) * C + c) * area + area - 1 - a];
    List<Index> offset;
    for (Index f = 0; f < some; ++f)
        for (Index i = 0; i < at.kernel_height; ++i)
            for (Index j = 0; j < at.kernel_width; ++j) offset.push_back((f * height + i) * width + j);
    const Index size = (at.height - 1) * width + at.width;
    divide([&](int part, int parts) {
        const auto [first, last] = stretch(at.samples, part, parts);
        if (first == last) return;
        Scratch<T> widened(filters * height * width), wide(C * size);
        std::fill(widened.data(), widened.data() + filters * height * width, T(0));
        for (Index n = first; n < last; ++n) {
            spread(
                dy + n * filters * at.places(), filters, at.out_height, at.out_width,
                widened.data() + top * width + left, height * width, width);
            for (Index g = 0; g < groups; ++g) {
                rows_times(
                    turned.data() + g * C * K, K, widened.data() + g * some * height * width, offset.data(), C, K, size,
                    (const T*)nullptr, (const T*)nullptr, wide.data(), size);
                for (Index c = 0; c < C; ++c)
                    for (Index h = 0; h < at.height; ++h)
                        std::copy_n(
                            wide.data() + c * size + h * width, at.width,
                            dx + ((n * groups + g) * C + c) * at.pixels() + h * at.width);
            }
        }
    });
}

// Any stride: the columns' gradient is W^T dy; each number is added back where it was read.
template <class T>
void input_gradient_scattered(const T* dy, const T* W, T* dx, const Windows& at, Index filters, Index groups) {
    const Index C = at.channels / groups, some = filters / groups, K = C * at.area(), places = at.places();
    const Index height = at.height + at.top + at.bottom, width = at.width + at.left + at.right;
    Scratch<T> turned(groups * K * some);
    for (Index g = 0; g < groups; ++g) transpose(W + g * some * K, K, turned.data() + g * K * some, some, K, some);
    const auto offset = every(some, places);
    divide([&](int part, int parts) {
        const auto [first, last] = stretch(at.samples, part, parts);
        if (first == last) return;
        Scratch<T> columns(K * places), padded(C * height * width);
        for (Index n = first; n < last; ++n) {
            for (Index g = 0; g < groups; ++g) {
                rows_times(
                    turned.data() + g * K * some, some, dy + (n * filters + g * some) * places, offset.data(), K, some, places,
                    (const T*)nullptr, (const T*)nullptr, columns.data(), places);
                std::fill(padded.data(), padded.data() + C * height * width, T(0));
                const T* from = columns.data();
                for (Index c = 0; c < C; ++c)
                    for (Index i = 0; i < at.kernel_height; ++i)
                        for (Index j = 0; j < at.kernel_width; ++j)
                            for (Index p = 0; p < at.out_height; ++p) {
                                T* line = padded.data() + (c * height + p * at.stride_down + i) * width + j;
                                for (Index q = 0; q < at.out_width; ++q) line[q * at.stride_across] += *from++;
                            }
                for (Index c = 0; c < C; ++c)
                    for (Index h = 0; h < at.height; ++h)
                        std::copy_n(
                            padded.data() + (c * height + h + at.top) * width + at.left, at.width,
                            dx + ((n * groups + g) * C + c) * at.pixels() + h * at.width);
            }
        }
    });
}

template <class T>
void dense_input_gradient(const T* dy, const T* W, T* dx, const Windows& at, Index filters, Index groups) {
    const bool direct = at.stride_down == 1 && at.stride_across == 1 && at.top < at.kernel_height &&
                        at.bottom < at.kernel_height && at.left < at.kernel_width && at.right < at.kernel_width;
    if (direct) {
        input_gradient_direct(dy, W, dx, at, filters, groups);
    } else {
        input_gradient_scattered(dy, W, dx, at, filters, groups);
    }
}

// Whether a gradient is mostly zeros, judged by a sample of its planes.
template <class T>
bool is_scattered(const T* dy, const Windows& at, Index filters) {
    const Index planes = at.samples * filters, places = at.places();
    if (planes * places * at.area() <= kWorthIt) return false;
    const Index padded = (at.height + at.top + at.bottom) * (at.width + at.left + at.right);
    if (padded >= (Index{1} << 30) / std::max<Index>(at.channels, 1)) return false;  // windows are counted in 32 bits
    const Index step = std::max<Index>(1, planes / 16) | 1;  // odd: not always the same filters
    Index count = 0, seen = 0;
    for (Index plane = 0; plane < planes; plane += step, seen += places)
        for (Index s = 0; s < places; s += 64)
            count += __builtin_popcountll(nonzero(dy + plane * places + s, std::min<Index>(64, places - s)));
    return 4 * count <= seen;
}

// y[n, f, place] = sum over k of W[f, k] window[n, place, k]: dW[f, k] = sum over n, place of dy window[n, place, k].
template <class T>
void conv_weight_gradient(const T* x, const T* dy, T* dW, const Windows& at, Index filters, Index groups) {
    if (is_scattered(dy, at, filters)) {
        sparse_weight_gradient(x, Scattered<T>{dy, at}, dW, static_cast<T*>(nullptr), at, filters, groups);
    } else {
        dense_weight_gradient(x, dy, dW, at, filters, groups);
    }
}

// The same: dwindow[n, place, k] = sum over f of W[f, k] dy[n, f, place], added up where windows overlap.
template <class T>
void conv_input_gradient(const T* dy, const T* W, T* dx, const Windows& at, Index filters, Index groups) {
    if (is_scattered(dy, at, filters)) {
        sparse_input_gradient(Scattered<T>{dy, at}, W, dx, at, filters, groups);
    } else {
        dense_input_gradient(dy, W, dx, at, filters, groups);
    }
}

}  // namespace
}  // namespace chainrule::CHAINRULE_ISA
