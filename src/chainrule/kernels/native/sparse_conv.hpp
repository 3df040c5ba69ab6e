// Gradients of a convolution whose dy is mostly zeros.
//
// After pooling and ReLU a convolution's gradient is mostly zeros: one pixel of each window has one, and only if the output
// was above zero. So the backward passes go from one such pixel to the next instead of over all of them. Images have their
// channels last here: a row of a window is then one contiguous run of memory, KW C numbers long, read as whole vectors
// (whatever is read beyond the run is multiplied by zeros, or left out).
//
// The functions take the gradient as a source: `Scattered` here, dy without its zeros, or `Pooled` in conv_relu_pool.hpp. A
// source says how many pixels of a plane may have a gradient (`places`), is told how far apart the windows of neighboring
// pixels start (`stand`), and lists where those windows start and the gradients (`gather`, which may write up to a vector
// more than it counts).
#pragma once

#include <algorithm>
#include <cstdint>
#include <type_traits>

#include "lists.hpp"
#include "scratch.hpp"
#include "simd.hpp"
#include "threads.hpp"

namespace chainrule::CHAINRULE_ISA {
namespace {

constexpr Index kBeyond = 16;  // how much more `gather` may write than it keeps

template <class T, int bytes>
struct Sparse {
    using V = Vector<T, bytes>;
    static constexpr Index lanes = sizeof(V) / sizeof(T);
    static constexpr int most = 6;  // vectors at a time

    const Windows& at;
    Index C, some, height, width;   // of a group: channels, filters; of the padded image
    Index stretch_length, vectors;  // of a row of a window; of a whole window, in vectors
    List<Index> offset;      // of the window's vectors in the image

    Sparse(const Windows& at_, Index filters, Index groups)
        : at(at_),
          C(at.channels / groups),
          some(filters / groups),
          height(at.height + at.top + at.bottom),
          width(at.width + at.left + at.right),
          stretch_length(at.kernel_width * C),
          vectors(at.kernel_height * ((stretch_length + lanes - 1) / lanes)) {
        for (Index i = 0; i < at.kernel_height; ++i)
            for (Index u = 0; u < stretch_length; u += lanes) offset.push_back(i * width * C + u);
    }

    Index image_size() const { return height * width * C + lanes; }

    // The position of number (c, i, j) of a kernel among the vectors of a window.
    Index place_of(Index c, Index i, Index j) const {
        return i * ((stretch_length + lanes - 1) / lanes) * lanes + j * C + c;
    }

    void channels_last(const T* image, T* out) const {
        std::fill(out, out + image_size(), T(0));
        for (Index c = 0; c < C; ++c)
            for (Index h = 0; h < at.height; ++h) {
                const T* from = image + (c * at.height + h) * at.width;
                T* to = out + ((h + at.top) * width + at.left) * C + c;
                for (Index w = 0; w < at.width; ++w) to[w * C] = from[w];
            }
    }

    void channels_first(const T* image, T* out) const {
        for (Index c = 0; c < C; ++c)
            for (Index h = 0; h < at.height; ++h) {
                const T* from = image + ((h + at.top) * width + at.left) * C + c;
                T* to = out + (c * at.height + h) * at.width;
                for (Index w = 0; w < at.width; ++w) to[w] = from[w * C];
            }
    }

    // sum[v] += value[e] image[begin[e] + offset[v]], over all e
    template <int n>
    static void add_windows(
        const T* image, const Index* offset, const std::int32_t* begin, const T* value, Index count, T* sum) {
        V total[n];
        for (int v = 0; v < n; ++v) total[v] = load<V>(sum + v * lanes);
        for (Index e = 0; e < count; ++e) {
            const T* window = image + begin[e];
            for (int v = 0; v < n; ++v) total[v] += value[e] * load<V>(window + offset[v]);
        }
        for (int v = 0; v < n; ++v) store(sum + v * lanes, total[v]);
    }

    // window[offset[v]] += sum over the chain of value[e] kernels[filter[e]][v]
    template <int n>
    static void add_kernels(
        const T* kernels, Index kernel_size, const Index* offset, std::int32_t e, const std::int32_t* next,
        const std::int32_t* filter, const T* value, T* window) {
        V total[n];
        for (int v = 0; v < n; ++v) total[v] = V{};
        for (; e >= 0; e = next[e]) {
            const T* kernel = kernels + filter[e] * kernel_size;
            for (int v = 0; v < n; ++v) total[v] += value[e] * load<V>(kernel + v * lanes);
        }
        for (int v = 0; v < n; ++v) store(window + offset[v], load<V>(window + offset[v]) + total[v]);
    }

    // Call work(first vector, how many) for all vectors of a window, `most` at a time.
    template <class Work>
    void in_turn(Work work) const {
        for (Index v = 0; v < vectors; v += most) {
            switch (std::min<Index>(most, vectors - v)) {
                case 1: work(v, std::integral_constant<int, 1>{}); break;
                case 2: work(v, std::integral_constant<int, 2>{}); break;
                case 3: work(v, std::integral_constant<int, 3>{}); break;
                case 4: work(v, std::integral_constant<int, 4>{}); break;
                case 5: work(v, std::integral_constant<int, 5>{}); break;
                default: work(v, std::integral_constant<int, most>{}); break;
            }
        }
    }
};

// dy itself, without its zeros.
template <class T>
struct Scattered {
    const T* dy;
    const Windows& at;
    List<std::int32_t> begin_of = {};  // that of each pixel

    Index places() const { return at.places(); }

    void stand(Index across, Index down) {
        for (Index p = 0; p < at.out_height; ++p)
            for (Index q = 0; q < at.out_width; ++q) begin_of.push_back(static_cast<std::int32_t>(p * down + q * across));
    }

    Index gather(Index plane, std::int32_t* begin, T* value) const {
        const std::int32_t count = gather_nonzero(dy + plane * at.places(), at.places(), T(1), begin, value);
        for (std::int32_t e = 0; e < count; ++e) begin[e] = begin_of[static_cast<std::size_t>(begin[e])];
        return count;
    }
};

// db may be null
template <class T, int bytes, class Source>
void weight_gradient_of(
    const T* x, Source source, T* dW, T* db, const Windows& at, Index filters, Index groups) {
    const Sparse<T, bytes> sparse(at, filters, groups);
    const Index C = sparse.C, some = sparse.some, kernel = sparse.vectors * sparse.lanes;
    const Index places = source.places();
    source.stand(at.stride_across * C, at.stride_down * sparse.width * C);
    const int most = kShares;
    Scratch<T> sums(most * filters * kernel), biases(most * filters);  // one per part, added in order below
    divide(most, [&](int part, int parts) {
        T* sum = sums.data() + part * filters * kernel;
        T* bias = biases.data() + part * filters;
        std::fill(sum, sum + filters * kernel, T(0));
        std::fill(bias, bias + filters, T(0));
        const auto [first, last] = stretch(at.samples, part, parts);
        if (first == last) return;
        Scratch<T> image(sparse.image_size()), value(places + kBeyond);
        Scratch<std::int32_t> begin(places + kBeyond);
        for (Index n = first; n < last; ++n)
            for (Index g = 0; g < groups; ++g) {
                sparse.channels_last(x + (n * at.channels + g * C) * at.pixels(), image.data());
                for (Index f = g * some; f < (g + 1) * some; ++f) {
                    const Index count = source.gather(n * filters + f, begin.data(), value.data());
                    for (Index e = 0; e < count; ++e) bias[f] += value[e];
                    sparse.in_turn([&](Index v, auto n_vectors) {
                        Sparse<T, bytes>::template add_windows<n_vectors.value>(
                            image.data(), sparse.offset.data() + v, begin.data(), value.data(), count,
                            sum + f * kernel + v * sparse.lanes);
                    });
                }
            }
    });
    for (int part = 1; part < most; ++part) {
        for (Index i = 0; i < filters * kernel; ++i) sums[i] += sums[part * filters * kernel + i];
        for (Index f = 0; f < filters; ++f) biases[f] += biases[part * filters + f];
    }
    for (Index f = 0; f < filters; ++f) {
        if (db) db[f] = biases[f];
        for (Index c = 0; c < C; ++c)
            for (Index i = 0; i < at.kernel_height; ++i)
                for (Index j = 0; j < at.kernel_width; ++j) *dW++ = sums[f * kernel + sparse.place_of(c, i, j)];
    }
}

template <class T, int bytes, class Source>
void input_gradient_of(Source source, const T* W, T* dx, const Windows& at, Index filters, Index groups) {
    const Sparse<T, bytes> sparse(at, filters, groups);
    const Index C = sparse.C, some = sparse.some, kernel = sparse.vectors * sparse.lanes;
    const Index places = source.places();
    source.stand(at.stride_across, at.stride_down * sparse.width);
    Scratch<T> kernels(filters * kernel);
    std::fill(kernels.data(), kernels.data() + filters * kernel, T(0));
    for (Index f = 0; f < filters; ++f)
        for (Index c = 0; c < C; ++c)
            for (Index i = 0; i < at.kernel_height; ++i)
                for (Index j = 0; j < at.kernel_width; ++j) kernels[f * kernel + sparse.place_of(c, i, j)] = *W++;
    divide([&](int part, int parts) {
        const auto [first, last] = stretch(at.samples, part, parts);
        if (first == last) return;
        Scratch<T> image(sparse.image_size()), value(some * places + kBeyond);
        Scratch<std::int32_t> origin(some * places + kBeyond), next(some * places + kBeyond), filter(some * places + kBeyond);
        // the pixels that have a gradient, chained by where their windows start
        const Index origins = sparse.height * sparse.width;
        Scratch<std::int32_t> chain(origins);
        for (Index n = first; n < last; ++n)
            for (Index g = 0; g < groups; ++g) {
                std::fill(chain.data(), chain.data() + origins, -1);
                std::fill(image.data(), image.data() + sparse.image_size(), T(0));
                Index count = 0;
                for (Index f = 0; f < some; ++f) {
                    const Index more =
                        source.gather(n * filters + g * some + f, origin.data() + count, value.data() + count);
                    for (const Index stop = count + more; count < stop; ++count) {
                        const std::int32_t first_of = origin[count];
                        next[count] = chain[first_of];
                        chain[first_of] = static_cast<std::int32_t>(count);
                        filter[count] = static_cast<std::int32_t>(g * some + f);
                    }
                }
                for (Index pixel = 0; pixel < origins; ++pixel) {
                    if (chain[pixel] < 0) continue;
                    sparse.in_turn([&](Index v, auto n_vectors) {
                        Sparse<T, bytes>::template add_kernels<n_vectors.value>(
                            kernels.data() + v * sparse.lanes, kernel, sparse.offset.data() + v, chain[pixel],
                            next.data(), filter.data(), value.data(), image.data() + pixel * C);
                    });
                }
                sparse.channels_first(image.data(), dx + (n * at.channels + g * C) * at.pixels());
            }
    });
}

// If a row of a window fills at most half a vector, vectors of half the length do the same work in half the time.
template <class T>
bool short_rows(const Windows& at, Index groups) {
    return 2 * at.kernel_width * (at.channels / groups) * Index(sizeof(T)) <= CHAINRULE_VECTOR_BYTES;
}

template <class T, class Source>
void sparse_weight_gradient(
    const T* x, const Source& source, T* dW, T* db, const Windows& at, Index filters, Index groups) {
    const auto work = short_rows<T>(at, groups) ? weight_gradient_of<T, CHAINRULE_VECTOR_BYTES / 2, Source>
                                                : weight_gradient_of<T, CHAINRULE_VECTOR_BYTES, Source>;
    work(x, source, dW, db, at, filters, groups);
}

template <class T, class Source>
void sparse_input_gradient(const Source& source, const T* W, T* dx, const Windows& at, Index filters, Index groups) {
    const auto work = short_rows<T>(at, groups) ? input_gradient_of<T, CHAINRULE_VECTOR_BYTES / 2, Source>
                                                : input_gradient_of<T, CHAINRULE_VECTOR_BYTES, Source>;
    work(source, W, dx, at, filters, groups);
}

}  // namespace
}  // namespace chainrule::CHAINRULE_ISA
