// Max and average pooling, forward and backward.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>

#include "products.hpp"
#include "scratch.hpp"
#include "threads.hpp"

namespace chainrule::CHAINRULE_ISA {
namespace {

// The largest of four (with relu: at least 0), the last NaN before all, and its position.
template <class T, class V>
inline void largest(V a, V b, V c, V d, bool relu, T* y, std::uint8_t* place) {
    using Mask = decltype(V{} < V{});
    using Places = Vector<std::uint8_t, static_cast<int>(sizeof(V) / sizeof(T))>;
    V best = a;
    Mask which{};
    Mask larger = (b > best) | (b != b);
    best = larger ? b : best;
    which = larger ? Mask{} + 1 : which;
    larger = (c > best) | (c != c);
    best = larger ? c : best;
    which = larger ? Mask{} + 2 : which;
    larger = (d > best) | (d != d);
    best = larger ? d : best;
    which = larger ? Mask{} + 3 : which;
    if (relu) best = best < T(0) ? V{} : best;
    store(y, best);
    store(place, __builtin_convertvector(which, Places));
}

// The largest of four numbers, at least 0, and its position; for `size` of them, in whole vectors.
template <class T>
void largest_of_four(const T* a, const T* b, const T* c, const T* d, T* y, std::uint8_t* place, Index size) {
    using V = Vector<T, CHAINRULE_VECTOR_BYTES>;
    constexpr Index lanes = sizeof(V) / sizeof(T);
    for (Index i = 0; i < size; i += lanes) largest<T, V>(
        load<V>(a + i), load<V>(b + i), load<V>(c + i), load<V>(d + i), true, y + i, place + i);
}

// One row of outputs of 2 x 2 windows: the largest of each (with relu: at least 0) and its position. With `room` after the
// row its last vector may read and write beyond it, otherwise it is moved back.
template <class T, int bytes = CHAINRULE_VECTOR_BYTES>
void pairs_in_row(const T* upper, const T* lower, T* y, std::uint8_t* place, Index width, bool relu, bool room) {
    constexpr Index lanes = bytes / sizeof(T);
    if constexpr (lanes > 1) {
        if (width < lanes && !room) {
            pairs_in_row<T, bytes / 2>(upper, lower, y, place, width, relu, room);
            return;
        }
        using V = Vector<T, bytes>;
        const Index vectors = (width + lanes - 1) / lanes;
        for (Index v = 0; v < vectors; ++v) {
            const Index at = room ? v * lanes : vector_place(v, lanes, width);
            const auto [a, b] = apart<V>(upper + 2 * at);
            const auto [c, d] = apart<V>(lower + 2 * at);
            largest<T, V>(a, b, c, d, relu, y + at, place + at);
        }
    } else {
        for (Index q = 0; q < width; ++q) {
            const T window[4] = {upper[2 * q], upper[2 * q + 1], lower[2 * q], lower[2 * q + 1]};
            int which = 0;
            for (int i = 1; i < 4; ++i)
                if (window[i] > window[which] || window[i] != window[i]) which = i;
            y[q] = relu && window[which] < T(0) ? T(0) : window[which];
            place[q] = static_cast<std::uint8_t>(which);
        }
    }
}

// The part of a window that lies on the image, for one output row or column.
struct Span {
    Index first, last;
};
inline Span inside(Index place, Index stride, Index before, Index kernel, Index length) {
    const Index start = place * stride - before;
    return {std::max<Index>(0, -start), std::min(kernel, length - start)};
}

template <class T>
void max_pool_image(const T* x, T* y, std::uint8_t* place, const Windows& at) {
    for (Index p = 0; p < at.out_height; ++p) {
        const Span rows = inside(p, at.stride_down, at.top, at.kernel_height, at.height);
        for (Index q = 0; q < at.out_width; ++q) {
            const Span columns = inside(q, at.stride_across, at.left, at.kernel_width, at.width);
            T best = -std::numeric_limits<T>::infinity();
            Index which = 0;
            for (Index i = rows.first; i < rows.last; ++i)
                for (Index j = columns.first; j < columns.last; ++j) {
                    const T value = x[(p * at.stride_down - at.top + i) * at.width + q * at.stride_across - at.left + j];
                    if (value > best || value != value) {
                        best = value;
                        which = i * at.kernel_width + j;
                    }
                }
            *y++ = best;
            *place++ = static_cast<std::uint8_t>(which);
        }
    }
}

// Windows of 2 x 2 without overlap, the usual ones, a vector of outputs at a time. The rows are `line` apart.
template <class T>
void max_pool_pairs(const T* x, Index line, T* y, std::uint8_t* place, Index out_height, Index out_width, bool relu) {
    for (Index p = 0; p < out_height; ++p) {
        const T* upper = x + 2 * p * line;
        const T* lower = upper + line;
        // a vector beyond this row lies in the rows below, which are processed later
        const bool room = (out_height - p - 1) * out_width >= CHAINRULE_VECTOR_BYTES / Index(sizeof(T));
        pairs_in_row(upper, lower, y, place, out_width, relu, room);
        y += out_width;
        place += out_width;
    }
}

// One row of gradients back to their 2 x 2 windows.
template <class T, int bytes = CHAINRULE_VECTOR_BYTES>
void pairs_back(const T* dy, const std::uint8_t* place, T* upper, T* lower, Index width) {
    constexpr Index lanes = bytes / sizeof(T);
    if constexpr (lanes > 1) {
        if (width < lanes) {
            pairs_back<T, bytes / 2>(dy, place, upper, lower, width);
            return;
        }
        using V = Vector<T, bytes>;
        using Mask = decltype(V{} < V{});
        using Places = Vector<std::uint8_t, static_cast<int>(lanes)>;
        const Index vectors = (width + lanes - 1) / lanes;
        for (Index v = 0; v < vectors; ++v) {
            const Index at = vector_place(v, lanes, width);
            const V from = load<V>(dy + at);
            const Mask which = __builtin_convertvector(load<Places>(place + at), Mask);
            together<V>(which == 0 ? from : V{}, which == 1 ? from : V{}, upper + 2 * at);
            together<V>(which == 2 ? from : V{}, which == 3 ? from : V{}, lower + 2 * at);
        }
    } else {
        for (Index q = 0; q < width; ++q) {
            upper[2 * q] = place[q] == 0 ? dy[q] : T(0);
            upper[2 * q + 1] = place[q] == 1 ? dy[q] : T(0);
            lower[2 * q] = place[q] == 2 ? dy[q] : T(0);
            lower[2 * q + 1] = place[q] == 3 ? dy[q] : T(0);
        }
    }
}

inline bool side_by_side(const Windows& at) {
    return at.kernel_height == 2 && at.kernel_width == 2 && at.stride_down == 2 && at.stride_across == 2 && !at.top &&
           !at.bottom && !at.left && !at.right;
}

// y is the largest number of its window, and `place` its position in the window.
template <class T>
void max_pool_forward(const T* x, T* y, std::uint8_t* place, const Windows& at) {
    const Index images = at.samples * at.channels;
    const bool pairs = side_by_side(at);
    divide_if(images * at.places() * at.area() > kWorthIt, [&](int part, int parts) {
        const auto [first, last] = stretch(images, part, parts);
        for (Index n = first; n < last; ++n) {
            if (pairs) {
                max_pool_pairs(
                    x + n * at.pixels(), at.width, y + n * at.places(), place + n * at.places(), at.out_height,
                    at.out_width, false);
            } else {
                max_pool_image(x + n * at.pixels(), y + n * at.places(), place + n * at.places(), at);
            }
        }
    });
}

// y = x[place]: dx is dy there and 0 elsewhere, added up where windows overlap.
template <class T>
void max_pool_backward(const T* dy, const std::uint8_t* place, T* dx, const Windows& at) {
    const Index images = at.samples * at.channels, outputs = at.places();
    const bool pairs = side_by_side(at);
    divide_if(images * at.places() * at.area() > kWorthIt, [&](int part, int parts) {
        const auto [first, last] = stretch(images, part, parts);
        for (Index n = first; n < last; ++n) {
            T* image = dx + n * at.pixels();
            if (!pairs || at.height % 2 || at.width % 2) std::fill(image, image + at.pixels(), T(0));
            for (Index p = 0; p < at.out_height; ++p) {
                const T* from = dy + n * outputs + p * at.out_width;
                const std::uint8_t* which = place + n * outputs + p * at.out_width;
                if (pairs) {
                    pairs_back(
                        from, which, image + 2 * p * at.width, image + (2 * p + 1) * at.width, at.out_width);
                    continue;
                }
                for (Index q = 0; q < at.out_width; ++q) {
                    const Index i = which[q] / at.kernel_width, j = which[q] % at.kernel_width;
                    const Index row = p * at.stride_down - at.top + i, column = q * at.stride_across - at.left + j;
                    // below 0 counts as above everything; a position outside the window is in no row of it
                    if (i < at.kernel_height && std::uint64_t(row) < std::uint64_t(at.height) &&
                        std::uint64_t(column) < std::uint64_t(at.width))
                        image[row * at.width + column] += from[q];
                }
            }
        }
    });
}

// y is the mean of its window, without padding.
template <class T>
void avg_pool_forward(const T* x, T* y, const Windows& at) {
    const Index images = at.samples * at.channels;
    divide_if(images * at.places() * at.area() > kWorthIt, [&](int part, int parts) {
        const auto [first, last] = stretch(images, part, parts);
        for (Index n = first; n < last; ++n) {
            const T* image = x + n * at.pixels();
            T* out = y + n * at.places();
            for (Index p = 0; p < at.out_height; ++p) {
                const Span rows = inside(p, at.stride_down, at.top, at.kernel_height, at.height);
                for (Index q = 0; q < at.out_width; ++q) {
                    const Span columns = inside(q, at.stride_across, at.left, at.kernel_width, at.width);
                    T sum = T(0);
                    for (Index i = rows.first; i < rows.last; ++i)
                        for (Index j = columns.first; j < columns.last; ++j)
                            sum += image
                                [(p * at.stride_down - at.top + i) * at.width + q * at.stride_across - at.left + j];
                    *out++ = sum / static_cast<T>((rows.last - rows.first) * (columns.last - columns.first));
                }
            }
        }
    });
}

// y is a mean of `count` numbers: each of them gets dy / count, added up where windows overlap.
template <class T>
void avg_pool_backward(const T* dy, T* dx, const Windows& at) {
    const Index images = at.samples * at.channels;
    divide_if(images * at.places() * at.area() > kWorthIt, [&](int part, int parts) {
        const auto [first, last] = stretch(images, part, parts);
        for (Index n = first; n < last; ++n) {
            T* image = dx + n * at.pixels();
            const T* from = dy + n * at.places();
            std::fill(image, image + at.pixels(), T(0));
            for (Index p = 0; p < at.out_height; ++p) {
                const Span rows = inside(p, at.stride_down, at.top, at.kernel_height, at.height);
                for (Index q = 0; q < at.out_width; ++q) {
                    const Span columns = inside(q, at.stride_across, at.left, at.kernel_width, at.width);
                    const T share =
                        *from++ / static_cast<T>((rows.last - rows.first) * (columns.last - columns.first));
                    for (Index i = rows.first; i < rows.last; ++i)
                        for (Index j = columns.first; j < columns.last; ++j)
                            image[(p * at.stride_down - at.top + i) * at.width + q * at.stride_across - at.left + j] +=
                                share;
                }
            }
        }
    });
}

}  // namespace
}  // namespace chainrule::CHAINRULE_ISA
