// Convolution, ReLU and 2 x 2 pooling in one: the convolution's own output never leaves the cache.
#pragma once

#include <cstdint>

#include "conv.hpp"
#include "pool.hpp"
#include "sparse_conv.hpp"

namespace chainrule::CHAINRULE_ISA {
namespace {

template <class T>
void conv_relu_pool_forward(
    const T* x, const T* W, const T* b, T* y, std::uint8_t* place, const Windows& at, Index filters, Index groups) {
    const Index height = at.out_height / 2, width = at.out_width / 2;
    const FiltersLast<T> last(at, filters, groups);
    if (last.pays()) {
        last.convolve(x, W, b, groups, 2, [&](Index n, Index g, const T* out, Index from, Index to, const auto& own) {
            const Index begin = from / 2 * width, count = (to / 2 - from / 2) * width, C = own.columns;
            Scratch<T> best(count * C);
            Scratch<std::uint8_t> which(count * C);
            for (Index i = 0; i < count; ++i) {
                const Index p = from / 2 + i / width, q = i % width;
                const T* upper = out + (2 * p * at.out_width + 2 * q) * C;
                largest_of_four(
                    upper, upper + C, upper + at.out_width * C, upper + (at.out_width + 1) * C, best.data() + i * C,
                    which.data() + i * C, C);
            }
            const Index to_y = (n * filters + g * last.some + own.first) * height * width + begin;
            transpose(best.data(), C, y + to_y, count, own.count, height * width);
            transpose(which.data(), C, place + to_y, count, own.count, height * width);
        });
        return;
    }
    const auto pool = [&](Index n, Index f, const T* wide, Index count, const Reading& in) {
        for (Index i = 0; i < count; ++i) {
            const Index to = (n * filters + f + i) * height * width;
            max_pool_pairs(wide + i * in.size, in.line, y + to, place + to, height, width, true);
        }
    };
    convolve(x, W, b, (T*)nullptr, at, filters, groups, pool);
}

// The gradient before pooling, as a source for sparse_conv.hpp: one pixel of each window that was above zero.
template <class T>
struct Pooled {
    const T* dy;
    const T* y;
    const std::uint8_t* place;
    const Windows& at;
    std::int32_t across = 0, down = 0;

    Index places() const { return (at.out_height / 2) * (at.out_width / 2); }

    void stand(Index across_, Index down_) {
        across = static_cast<std::int32_t>(across_);
        down = static_cast<std::int32_t>(down_);
    }

    Index gather(Index plane, std::int32_t* begin, T* value) const {
        const Index rows = at.out_height / 2, columns = at.out_width / 2, first = plane * rows * columns;
        std::int32_t count = 0;
        for (Index p = 0; p < rows; ++p) {
            const Index row = first + p * columns;
            std::int32_t* to = begin + count;
            for (std::int32_t q = 0; q < static_cast<std::int32_t>(columns); ++q) {
                const std::int32_t which = place[row + q] & 3;  // even if it was overwritten: stays within the image
                to[q] = (2 * static_cast<std::int32_t>(p) + which / 2) * down + (2 * q + which % 2) * across;
            }
            count += keep_positive(y + row, columns, dy + row, to, value + count);
        }
        return count;
    }
};

template <class T>
void conv_relu_pool_weight_gradient(
    const T* x, const T* dy, const T* y, const std::uint8_t* place, T* dW, T* db, const Windows& at, Index filters,
    Index groups) {
    sparse_weight_gradient(x, Pooled<T>{dy, y, place, at}, dW, db, at, filters, groups);
}

template <class T>
void conv_relu_pool_input_gradient(
    const T* dy, const T* y, const std::uint8_t* place, const T* W, T* dx, const Windows& at, Index filters,
    Index groups) {
    sparse_input_gradient(Pooled<T>{dy, y, place, at}, W, dx, at, filters, groups);
}

}  // namespace
}  // namespace chainrule::CHAINRULE_ISA
