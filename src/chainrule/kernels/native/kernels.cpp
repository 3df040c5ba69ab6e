// The kernels, compiled once for every instruction set: see simd.hpp for which one this is.
#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <numeric>
#include <optional>
#include <vector>

#include "maths.hpp"
#include "products.hpp"
#include "scratch.hpp"
#include "thin.hpp"
#include "threads.hpp"

namespace chainrule::CHAINRULE_ISA {
namespace {

// Memory of a list. Code of the standard library for a type of this namespace belongs to this instruction set; that for
// a type all of them know would be shared, and might be the code of a set that the processor lacks.
template <class T>
struct Own {
    using value_type = T;
    Own() = default;
    template <class S>
    Own(const Own<S>&) {}
    T* allocate(std::size_t count) { return std::allocator<T>().allocate(count); }
    void deallocate(T* memory, std::size_t count) { std::allocator<T>().deallocate(memory, count); }
    bool operator==(const Own&) const { return true; }
    bool operator!=(const Own&) const { return false; }
};
template <class T>
using List = std::vector<T, Own<T>>;

// 0, step, 2 step, ...
List<Index> every(Index count, Index step) {
    List<Index> offsets(static_cast<std::size_t>(count));
    for (Index i = 0; i < count; ++i) offsets[static_cast<std::size_t>(i)] = i * step;
    return offsets;
}

// Sum of term(n, s) over samples and places, in sixteen parallel sums.
template <class T, class Term>
inline T sum_over(Index N, Index S, Term term) {
    T sum[16] = {};
    for (Index n = 0; n < N; ++n) {
        Index s = 0;
        for (; s + 16 <= S; s += 16)
            for (Index lane = 0; lane < 16; ++lane) sum[lane] += term(n, s + lane);
        for (; s < S; ++s) sum[(n + s) & 15] += term(n, s);
    }
    return std::accumulate(sum, sum + 16, T(0));
}

// ---- y = xW + b ----

// Rows [first, last) of y.
template <class T>
void affine_rows(const T* x, const T* W, const T* b, T* y, Index D, Index H, Index first, Index last) {
    if (D >= 2 * Panels<T>::deep && last - first >= 12 && H >= Panels<T>::lanes) {
        Panels<T>::times(x + first * D, W, b, y + first * H, last - first, D, H);
        return;
    }
    const auto offset = every(D, H);
    rows_times(x + first * D, D, W, offset.data(), last - first, D, H, (const T*)nullptr, b, y + first * H, H);
}

// Rows [first, last) of y: the bias and what the parts have made of the product, `step` apart, added in their order.
template <class T>
void sum_of_parts(const T* b, const T* sums, Index step, Index parts, T* y, Index H, Index first, Index last) {
    for (Index n = first; n < last; ++n) {
        T* to = y + n * H;
        std::copy_n(b, H, to);
        for (Index part = 0; part < parts; ++part) {
            const T* sum = sums + part * step + n * H;
            for (Index h = 0; h < H; ++h) to[h] += sum[h];
        }
    }
}

// All of y for few samples, when reading W is what takes the time: divided by W's rows, those left out that meet a zero.
template <class T, class S>
void affine_of_few(const S* x, const T* W, const T* b, T* y, Index N, Index D, Index H) {
    const Index room = D + CHAINRULE_VECTOR_BYTES;
    Scratch<T> sums(thread_count() * N * H), value(thread_count() * room);
    Scratch<std::int32_t> row(thread_count() * room);
    const bool large = N * D * H > kWorthIt / 2;
    divide_if(large, [&](int part, int parts) {
        const auto [first, last] = stretch(D, part, parts, 16);
        T* v = value.data() + part * room;
        std::int32_t* r = row.data() + part * room;
        for (Index n = 0; n < N; ++n) {
            T* sum = sums.data() + (part * N + n) * H;
            std::fill(sum, sum + H, T(0));
            const Index entries = gather_nonzero(x + n * D + first, last - first, T(1), r, v);
            Index e = 0;
            for (; e + 4 <= entries; e += 4) {
                const T* from[4];
                for (int i = 0; i < 4; ++i) from[i] = W + (first + r[e + i]) * H;
                for (Index h = 0; h < H; ++h)
                    sum[h] += (v[e] * from[0][h] + v[e + 1] * from[1][h]) + (v[e + 2] * from[2][h] + v[e + 3] * from[3][h]);
            }
            for (; e < entries; ++e)
                for (Index h = 0; h < H; ++h) sum[h] += v[e] * W[(first + r[e]) * H + h];
        }
    });
    sum_of_parts(b, sums.data(), N * H, large ? thread_count() : 1, y, H, 0, N);
}

// Rows [first, last) of dW, a row for each of x's columns.
template <class T>
void add_weight_gradient_rows(const T* x, const T* dy, T* dW, Index N, Index D, Index H, Index first, Index last) {
    const auto offset = every(last - first, 1);
    outer_sums(x + first, offset.data(), D, last - first, dy, H, N, H, dW + first * H, H);
}

constexpr Index kThinColumns = 16;  // are not divided between threads

// The product with a thin x, divided by x's columns: each thread then reads the rows of W that it alone reads and writes
// in the weight gradient and the update, and they stay in its cache. The sums of the parts are added up in their order.
template <class T, class S>
class ThinProduct {
public:
    ThinProduct(const S* x, T factor, const T* W, Index N, Index D, Index H)
        : H_(H), step_(N * H), parts_(thread_count()), sums_(parts_ * step_) {
        divide([&](int part, int parts) {
            const auto [first, last] = stretch(D, part, parts, kThinColumns);
            Thin<T, S>::forward(x, factor, W, sums_.data() + part * step_, N, D, H, first, last);
        });
    }

    void rows(const T* b, T* y, Index first, Index last) {
        sum_of_parts(b, sums_.data(), step_, parts_, y, H_, first, last);
    }

private:
    Index H_, step_, parts_;
    Scratch<T> sums_;
};

// x as numbers of the kind that W holds: itself, or a copy.
template <class T, class S>
class Converted {
public:
    Converted(const S* x, Index size) : x_(x), memory_(std::is_same_v<S, T> ? 0 : size) {
        if constexpr (!std::is_same_v<S, T>) std::copy_n(x, size, memory_.data());
    }

    const T* data() {
        if constexpr (std::is_same_v<S, T>) {
            return x_;
        } else {
            return memory_.data();
        }
    }

private:
    const S* x_;
    Scratch<T> memory_;
};

template <class T, class S>
void affine_forward(const S* x, const T* W, const T* b, T* y, Index N, Index D, Index H) {
    if (N < thread_count()) {
        affine_of_few(x, W, b, y, N, D, H);
        return;
    }
    const bool thin = Thin<T, S>::pays(x, N, D, H);
    std::optional<ThinProduct<T, S>> product;
    if (thin) product.emplace(x, T(1), W, N, D, H);
    Converted<T, S> converted(x, thin ? 0 : N * D);
    divide_if(N * D * H > kWorthIt, [&](int part, int parts) {
        const auto [first, last] = stretch(N, part, parts);
        if (thin) {
            product->rows(b, y, first, last);
        } else {
            affine_rows(converted.data(), W, b, y, D, H, first, last);
        }
    });
}

// `fresh`: into dW as it comes, instead of adding to it.
template <class T, class S>
void affine_weight_gradient(const S* x, const T* dy, T* dW, bool fresh, Index N, Index D, Index H) {
    const bool thin = Thin<T, S>::pays(x, N, D, H);
    Converted<T, S> converted(x, thin ? 0 : N * D);
    divide_if(N * D * H > kWorthIt, [&](int part, int parts) {
        const auto [first, last] = stretch(D, part, parts, thin ? kThinColumns : CHAINRULE_TILE_ROWS);
        if (fresh) std::fill(dW + first * H, dW + last * H, T(0));
        if (thin) {
            Thin<T, S>::weight_gradient(x, T(1), dy, dW, N, D, H, first, last);
        } else {
            add_weight_gradient_rows(converted.data(), dy, dW, N, D, H, first, last);
        }
    });
}

template <class T>
void affine_bias_gradient(const T* dy, T* db, Index N, Index H) {
    std::fill(db, db + H, T(0));
    for (Index n = 0; n < N; ++n)
        for (Index h = 0; h < H; ++h) db[h] += dy[n * H + h];
}

// The product dy W^T as one with W turned, all of it by one caller; rows [first, last).
template <class T>
void input_gradient_rows(const T* dy, const T* turned, T* dx, Index D, Index H, Index first, Index last) {
    const auto offset = every(H, D);
    rows_times(
        dy + first * H, H, turned, offset.data(), last - first, H, D, (const T*)nullptr, (const T*)nullptr, dx + first * D,
        D);
}

template <class T>
void affine_input_gradient(const T* dy, const T* W, T* dx, Index N, Index D, Index H) {
    Scratch<T> turned(H * D);
    const bool large = N * D * H > kWorthIt;
    divide_if(large, [&](int part, int parts) {
        const auto [first, last] = stretch(D, part, parts, 16);
        transpose(W + first * H, H, turned.data() + first, last - first, H, D);
    });
    divide_if(large, [&](int part, int parts) {
        const auto [first, last] = stretch(N, part, parts);
        input_gradient_rows(dy, turned.data(), dx, D, H, first, last);
    });
}

// ---- a chain: scale, then Affine, ReLU, Affine, ..., Affine ----

// The multiply-adds of one product with each matrix.
inline Index chain_work(const Chain& at) {
    Index work = 0;
    for (std::size_t k = 0; k + 1 < at.widths.size(); ++k) work += at.widths[k] * at.widths[k + 1];
    return work * at.samples;
}

// x as the products read it: itself, or scaled into other memory, a part's rows at a time.
template <class T, class S>
class Scaled {
public:
    Scaled(const S* x, T factor, const Chain& at, bool thin)
        : x_(x), factor_(factor), D_(at.widths[0]), itself_(std::is_same_v<S, T> && factor == T(1)),
          memory_(thin || itself_ ? 0 : at.samples * D_), thin_(thin) {}

    void open(Index first, Index last) {
        if (thin_ || itself_) return;
        for (Index i = first * D_; i < last * D_; ++i) memory_[i] = static_cast<T>(x_[i]) * factor_;
    }
    const T* data() {
        if constexpr (std::is_same_v<S, T>)
            if (itself_) return x_;
        return memory_.data();
    }

private:
    const S* x_;
    T factor_;
    Index D_;
    bool itself_;
    Scratch<T> memory_;
    bool thin_;
};

template <class T, class S>
void chain_forward(const S* x, T factor, const T* const* W, const T* const* b, T* const* y, const Chain& at) {
    const auto& width = at.widths;
    const std::size_t depth = width.size() - 1;
    const bool few = at.samples < thread_count();
    const bool thin = !few && Thin<T, S>::pays(x, at.samples, width[0], width[1]);
    Scaled<T, S> scaled(x, factor, at, thin);
    if (few) {
        scaled.open(0, at.samples);
        for (std::size_t k = 0; k < depth; ++k) {
            const Index size = at.samples * width[k + 1];
            affine_of_few(
                k == 0 ? scaled.data() : y[k - 1], W[k], b[k], y[k], at.samples, width[k], width[k + 1]);
            for (Index i = 0; k + 1 < depth && i < size; ++i) y[k][i] = y[k][i] < T(0) ? T(0) : y[k][i];
        }
        return;
    }
    std::optional<ThinProduct<T, S>> product;
    if (thin) product.emplace(x, factor, W[0], at.samples, width[0], width[1]);
    divide_if(chain_work(at) > kWorthIt, [&](int part, int parts) {
        const auto [first, last] = stretch(at.samples, part, parts);
        scaled.open(first, last);
        for (std::size_t k = 0; k < depth; ++k) {
            const Index D = width[k], H = width[k + 1];
            if (k == 0 && thin) {
                product->rows(b[0], y[0], first, last);
            } else {
                affine_rows(k == 0 ? scaled.data() : y[k - 1], W[k], b[k], y[k], D, H, first, last);
            }
            if (k + 1 < depth)
                for (Index i = first * H; i < last * H; ++i) y[k][i] = y[k][i] < T(0) ? T(0) : y[k][i];
        }
    });
}

// Adds to dW and db; dx may be null.
template <class T, class S>
void add_chain_gradients(
    const S* x, T factor, const T* const* y, const T* dy, const T* const* W, T* const* dW, T* const* db, T* dx,
    const Chain& at) {
    const auto& width = at.widths;
    const std::size_t depth = width.size() - 1, lowest = dx ? 0 : 1;
    const bool large = chain_work(at) > kWorthIt;
    const bool thin = Thin<T, S>::pays(x, at.samples, width[0], width[1]);
    Scaled<T, S> scaled(x, factor, at, thin);
    List<Index> place(depth + 1), begin(depth + 1);  // of each matrix turned, and of each gradient
    for (std::size_t k = 0; k < depth; ++k) {
        place[k + 1] = place[k] + (k >= lowest ? width[k] * width[k + 1] : 0);
        begin[k + 1] = begin[k] + (k + 1 < depth ? at.samples * width[k + 1] : 0);
    }
    Scratch<T> turned(place[depth]), deltas(begin[depth]);
    const auto delta = [&](std::size_t k) { return k + 1 < depth ? deltas.data() + begin[k] : dy; };
    divide_if(place[depth] > kWorthIt / 4, [&](int part, int parts) {
        for (std::size_t k = lowest; k < depth; ++k) {
            const Index D = width[k], H = width[k + 1];
            const auto [first, last] = stretch(D, part, parts, 16);
            transpose(W[k] + first * H, H, turned.data() + place[k] + first, last - first, H, D);
        }
    });
    divide_if(large, [&](int part, int parts) {
        const auto [first, last] = stretch(at.samples, part, parts);
        scaled.open(first, last);
        for (std::size_t k = depth; k-- > lowest;) {
            const Index D = width[k], H = width[k + 1];
            T* below = k ? deltas.data() + begin[k - 1] : dx;
            input_gradient_rows(delta(k), turned.data() + place[k], below, D, H, first, last);
            if (k) {
                for (Index i = first * D; i < last * D; ++i) below[i] = below[i] * (y[k - 1][i] > T(0) ? T(1) : T(0));
            } else if (factor != T(1)) {
                for (Index i = first * D; i < last * D; ++i) below[i] *= factor;
            }
        }
    });
    divide_if(large, [&](int part, int parts) {
        for (std::size_t k = 0; k < depth; ++k) {
            const Index D = width[k], H = width[k + 1];
            const auto [first, last] = stretch(D, part, parts, k == 0 && thin ? kThinColumns : CHAINRULE_TILE_ROWS);
            if (k == 0 && thin) {
                Thin<T, S>::weight_gradient(x, factor, delta(0), dW[0], at.samples, D, H, first, last);
            } else {
                add_weight_gradient_rows(k == 0 ? scaled.data() : y[k - 1], delta(k), dW[k], at.samples, D, H, first, last);
            }
            const auto [left, right] = stretch(H, part, parts, 16);
            for (Index n = 0; n < at.samples; ++n)
                for (Index h = left; h < right; ++h) db[k][h] += delta(k)[n * H + h];
        }
    });
}

// ---- convolution ----

// Copy an image (channels, height, width) into a larger one, zeros around it.
template <class T>
void copy_into(
    const T* image, Index channels, Index height, Index width, T* larger, Index larger_height, Index larger_width,
    Index top, Index left) {
    std::fill(larger, larger + channels * larger_height * larger_width, T(0));
    for (Index c = 0; c < channels; ++c)
        for (Index h = 0; h < height; ++h)
            std::copy_n(
                image + (c * height + h) * width, width, larger + (c * larger_height + h + top) * larger_width + left);
}

// The columns (K, places) of one padded image's group of channels: every window written out.
template <class T>
void windows_to_columns(const T* padded, Index channels, Index height, Index width, const Windows& at, T* columns) {
    for (Index c = 0; c < channels; ++c)
        for (Index i = 0; i < at.kernel_height; ++i)
            for (Index j = 0; j < at.kernel_width; ++j)
                for (Index p = 0; p < at.out_height; ++p) {
                    const T* line = padded + (c * height + p * at.stride_down + i) * width + j;
                    for (Index q = 0; q < at.out_width; ++q) *columns++ = line[q * at.stride_across];
                }
}

// Where the columns of an image are: with stride 1 they are the image itself, read from other places, on rows as wide
// as the padded image (what lies beyond out_width is computed and left out); else they are written out.
struct Reading {
    Index height, width;  // of the padded image
    bool direct, padded;
    Index line;            // distance of two output rows
    Index size;            // from the first output to the last
    List<Index> offset;  // of the K numbers of a window, for one group

    Reading(const Windows& at, Index group_channels)
        : height(at.height + at.top + at.bottom),
          width(at.width + at.left + at.right),
          direct(at.stride_down == 1 && at.stride_across == 1),
          padded(at.top || at.bottom || at.left || at.right),
          line(direct ? width : at.out_width),
          size((at.out_height - 1) * line + at.out_width) {
        for (Index c = 0; c < group_channels; ++c)
            for (Index i = 0; i < at.kernel_height; ++i)
                for (Index j = 0; j < at.kernel_width; ++j)
                    offset.push_back(direct ? (c * height + i) * width + j : Index(offset.size()) * at.places());
    }
};

template <class T>
class Images {
public:
    Images(const Windows& at, Index groups)
        : at_(at),
          channels_(at.channels / groups),
          reading_(at, channels_),
          padded_(reading_.padded ? at.channels * reading_.height * reading_.width : 0),
          columns_(reading_.direct ? 0 : channels_ * at.area() * at.places()) {}

    void open(const T* image) {
        image_ = image;
        if (!reading_.padded) return;
        copy_into(
            image, at_.channels, at_.height, at_.width, padded_.data(), reading_.height, reading_.width, at_.top,
            at_.left);
        image_ = padded_.data();
    }

    // What the offsets of a group refer to.
    const T* group(Index g) {
        const T* channels = image_ + g * channels_ * reading_.height * reading_.width;
        if (reading_.direct) return channels;
        windows_to_columns(channels, channels_, reading_.height, reading_.width, at_, columns_.data());
        return columns_.data();
    }

    const Reading& reading() const { return reading_; }

private:
    const Windows& at_;
    Index channels_;
    Reading reading_;
    Scratch<T> padded_, columns_;
    const T* image_ = nullptr;
};

// Convolution of every sample and group; `take(n, f, wide, count)` gets the outputs of `count` filters from f on, in rows
// in.line apart and in.size from filter to filter. Divided by samples or, where there are too few, by filters.
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

// The same with a vector of filters at each place instead of a vector of places for each filter: no place beside the
// image is computed, and any stride is as good as 1. What comes out has its filters last, in rows of whole vectors.
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
          columns((some + lanes - 1) / lanes * lanes),
          height(at.height + at.top + at.bottom),
          width(at.width + at.left + at.right) {}

    // Whether fewer vectors are multiplied than by `convolve`.
    bool pays() const {
        const bool direct = at.stride_down == 1 && at.stride_across == 1;
        const Index size = direct ? (at.out_height - 1) * width + at.out_width : at.places();
        return 2 * some >= lanes && columns / lanes * at.places() <= some * ((size + lanes - 1) / lanes);
    }

    // take(n, g, out, first, last): rows of outputs [first, last) of a sample and group; `together` rows stay together.
    template <class Take>
    void convolve(const T* x, const T* W, const T* b, Index groups, Index together, Take take) const {
        List<Index> begin, offset;
        for (Index p = 0; p < at.out_height; ++p)
            for (Index q = 0; q < at.out_width; ++q) begin.push_back((p * at.stride_down) * width + q * at.stride_across);
        for (Index c = 0; c < C; ++c)
            for (Index i = 0; i < at.kernel_height; ++i)
                for (Index j = 0; j < at.kernel_width; ++j) offset.push_back((c * height + i) * width + j);
        divide_if(at.samples * groups * some * K * at.places() > kWorthIt, [&](int part, int parts) {
            const bool by_samples = at.samples >= parts;
            const auto [first, last] = by_samples ? stretch(at.samples, part, parts) : Stretch{0, at.samples};
            const auto [from, to] =
                by_samples ? Stretch{0, at.out_height} : stretch(at.out_height, part, parts, together);
            if (first == last || from == to) return;
            const bool padded = at.top || at.bottom || at.left || at.right;
            // each part turns all weights for itself, which takes less time than to wait for the others
            Scratch<T> turned(groups * K * columns), bias(groups * columns);
            if (columns > some) std::fill(turned.data(), turned.data() + groups * K * columns, T(0));
            std::fill(bias.data(), bias.data() + groups * columns, T(0));
            for (Index g = 0; g < groups; ++g) {
                transpose(W + g * some * K, K, turned.data() + g * K * columns, some, K, columns);
                if (b) std::copy_n(b + g * some, some, bias.data() + g * columns);
            }
            Scratch<T> larger(padded ? at.channels * height * width : 0), out(at.places() * columns);
            for (Index n = first; n < last; ++n) {
                const T* image = x + n * at.channels * at.pixels();
                if (padded) {
                    copy_into(image, at.channels, at.height, at.width, larger.data(), height, width, at.top, at.left);
                    image = larger.data();
                }
                for (Index g = 0; g < groups; ++g) {
                    windows_times(
                        image + g * C * height * width, begin.data() + from * at.out_width, (to - from) * at.out_width,
                        offset.data(), K, turned.data() + g * K * columns, columns, bias.data() + g * columns,
                        out.data() + from * at.out_width * columns);
                    take(n, g, out.data(), from, to);
                }
            }
        });
    }
};

template <class T>
void conv_forward(const T* x, const T* W, const T* b, T* y, const Windows& at, Index filters, Index groups) {
    const FiltersLast<T> last(at, filters, groups);
    if (last.pays()) {
        last.convolve(x, W, b, groups, 1, [&](Index n, Index g, const T* out, Index from, Index to) {
            const Index begin = from * at.out_width, count = (to - from) * at.out_width;
            T* own = y + (n * filters + g * last.some) * at.places();
            transpose(out + begin * last.columns, last.columns, own + begin, count, last.some, at.places());
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

// Write rows (count, height, width) into flat (count, size), whose rows are `line` apart and whose other places are zero.
template <class T>
void spread(const T* rows, Index count, Index height, Index width, T* flat, Index size, Index line) {
    for (Index f = 0; f < count; ++f)
        for (Index p = 0; p < height; ++p)
            std::copy_n(rows + (f * height + p) * width, width, flat + f * size + p * line);
}

template <class T>
void dense_weight_gradient(const T* x, const T* dy, T* dW, const Windows& at, Index filters, Index groups) {
    using V = Vector<T, CHAINRULE_VECTOR_BYTES>;
    constexpr Index lanes = sizeof(V) / sizeof(T);
    const Index C = at.channels / groups, K = C * at.area(), some = filters / groups;
    const Reading in(at, C);
    const Index steps = (in.size + lanes - 1) / lanes, size = steps * lanes;
    // the image (or its columns) with zeros around, and behind it as far as the last vector reads
    const Index image = in.direct ? at.channels * in.height * in.width + size - in.size : groups * K * at.places() + lanes;
    // as many samples at a time as stay in the second cache with their gradients
    const Index together = std::max<Index>(1, (Index{384} << 10) / ((filters * size + image) * Index(sizeof(T))));
    const int most = thread_count();
    Scratch<V> sums(most * filters * K);  // each part's own, added up in their order at the end
    divide([&](int part, int parts) {
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

template <class T>
void conv_bias_gradient(const T* dy, T* db, Index samples, Index filters, Index places) {
    divide_if(samples * filters * places > kWorthIt, [&](int part, int parts) {
        const auto [first, last] = stretch(filters, part, parts);
        for (Index f = first; f < last; ++f)
            db[f] = sum_over<T>(samples, places, [&](Index n, Index s) { return dy[(n * filters + f) * places + s]; });
    });
}

// Stride 1: a convolution of dy, widened by the kernel less one, with the kernels turned round and channels and filters
// exchanged.
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

// Any stride: the columns' gradient is W transposed times dy; each is added back where it was read.
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

// ---- pooling ----

// The largest of four (with relu: at least 0), the last NaN before all, and which it was.
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

// The largest of four numbers, at least 0, and which it was; for `size` of them, whole vectors.
template <class T>
void largest_of_four(const T* a, const T* b, const T* c, const T* d, T* y, std::uint8_t* place, Index size) {
    using V = Vector<T, CHAINRULE_VECTOR_BYTES>;
    constexpr Index lanes = sizeof(V) / sizeof(T);
    for (Index i = 0; i < size; i += lanes) largest<T, V>(
        load<V>(a + i), load<V>(b + i), load<V>(c + i), load<V>(d + i), true, y + i, place + i);
}

// One row of outputs of 2 x 2 windows: the largest of each (with relu: at least 0) and its place. With `room` behind the
// row its last vector may read and write beyond it, else it is moved back.
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

// Windows of 2 x 2 side by side, the usual ones, a vector of outputs at a time. The rows are `line` apart.
template <class T>
void max_pool_pairs(const T* x, Index line, T* y, std::uint8_t* place, Index out_height, Index out_width, bool relu) {
    for (Index p = 0; p < out_height; ++p) {
        const T* upper = x + 2 * p * line;
        const T* lower = upper + line;
        // a vector beyond this row lies in the rows below, which come later
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
                    // below 0 is above everything; a place of no window is in no row of it
                    if (i < at.kernel_height && std::uint64_t(row) < std::uint64_t(at.height) &&
                        std::uint64_t(column) < std::uint64_t(at.width))
                        image[row * at.width + column] += from[q];
                }
            }
        }
    });
}

// ---- convolution, ReLU and 2 x 2 pooling in one: the convolution's own output never leaves the cache ----

template <class T>
void conv_relu_pool_forward(
    const T* x, const T* W, const T* b, T* y, std::uint8_t* place, const Windows& at, Index filters, Index groups) {
    const Index height = at.out_height / 2, width = at.out_width / 2;
    const FiltersLast<T> last(at, filters, groups);
    if (last.pays()) {
        last.convolve(x, W, b, groups, 2, [&](Index n, Index g, const T* out, Index from, Index to) {
            const Index begin = from / 2 * width, count = (to / 2 - from / 2) * width;
            Scratch<T> best(count * last.columns);
            Scratch<std::uint8_t> which(count * last.columns);
            for (Index i = 0; i < count; ++i) {
                const Index p = from / 2 + i / width, q = i % width;
                const T* upper = out + (2 * p * at.out_width + 2 * q) * last.columns;
                largest_of_four(
                    upper, upper + last.columns, upper + at.out_width * last.columns,
                    upper + (at.out_width + 1) * last.columns, best.data() + i * last.columns,
                    which.data() + i * last.columns, last.columns);
            }
            const Index own = (n * filters + g * last.some) * height * width + begin;
            transpose(best.data(), last.columns, y + own, count, last.some, height * width);
            transpose(which.data(), last.columns, place + own, count, last.some, height * width);
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

// Behind pooling and ReLU a convolution's gradient is mostly zeros: one pixel of each window has one, and only where the
// output was above zero. So the passes back go from one such pixel to the next instead of over all of them. Images have
// their channels last here: a row of a window is then one stretch of memory, KW C numbers long, read as whole vectors (what
// is read beyond the stretch is multiplied by zeros, or left out).
//
// Where the gradient is from: `Pooled`, or the convolution's own with its zeros, `Scattered`. Both tell how many pixels of
// a plane may have one, and gather them: where their windows begin in the image, neighbours `across` and `down` apart, and
// the gradient.
constexpr Index kBeyond = 16;  // what gathering writes more than it keeps

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

    // Where number (c, i, j) of a kernel stands among the vectors of a window.
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

    // Call work(first vector, how many) for all of a window's vectors, `most` at a time.
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

// Up to a vector more is written by either.
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
                const std::int32_t which = place[row + q] & 3;  // whatever it was written over with: within the image
                to[q] = (2 * static_cast<std::int32_t>(p) + which / 2) * down + (2 * q + which % 2) * across;
            }
            count += keep_positive(y + row, columns, dy + row, to, value + count);
        }
        return count;
    }
};

template <class T>
struct Scattered {
    const T* dy;
    const Windows& at;
    List<std::int32_t> begin_of = {};  // each pixel's

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
    const int most = thread_count();
    Scratch<T> sums(most * filters * kernel), biases(most * filters);  // each part's own, added up in their order below
    divide([&](int part, int parts) {
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
        // the pixels that have a gradient, chained by where their windows begin
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

// Where a row of a window fills half a vector at most, vectors of half the length do the same work in half the time.
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

// Whether a gradient is mostly zeros, by a sample of its planes.
template <class T>
bool is_scattered(const T* dy, const Windows& at, Index filters) {
    const Index planes = at.samples * filters, places = at.places();
    if (planes * places * at.area() <= kWorthIt) return false;
    if ((at.height + at.top + at.bottom) * (at.width + at.left + at.right) >= (Index{1} << 30) / std::max<Index>(at.channels, 1)) return false;
    const Index step = std::max<Index>(1, planes / 16) | 1;  // odd: not always the same filters
    Index count = 0, seen = 0;
    for (Index plane = 0; plane < planes; plane += step, seen += places)
        for (Index s = 0; s < places; s += 64)
            count += __builtin_popcountll(nonzero(dy + plane * places + s, std::min<Index>(64, places - s)));
    return 4 * count <= seen;
}

template <class T>
void conv_weight_gradient(const T* x, const T* dy, T* dW, const Windows& at, Index filters, Index groups) {
    if (is_scattered(dy, at, filters)) {
        sparse_weight_gradient(x, Scattered<T>{dy, at}, dW, static_cast<T*>(nullptr), at, filters, groups);
    } else {
        dense_weight_gradient(x, dy, dW, at, filters, groups);
    }
}

template <class T>
void conv_input_gradient(const T* dy, const T* W, T* dx, const Windows& at, Index filters, Index groups) {
    if (is_scattered(dy, at, filters)) {
        sparse_input_gradient(Scattered<T>{dy, at}, W, dx, at, filters, groups);
    } else {
        dense_input_gradient(dy, W, dx, at, filters, groups);
    }
}

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

// ---- batch norm ----

template <class T>
void batch_norm_inference(
    const T* x, const T* gamma, const T* beta, const T* mean, const T* inverse_std, T* y, Index N, Index C, Index S) {
    divide_if(N * C * S > kWorthIt / 4, [&](int part, int parts) {
        const auto [first, last] = stretch(N * C, part, parts);
        for (Index row = first; row < last; ++row) {
            const Index c = row % C;
            const T scale = gamma[c] * inverse_std[c], middle = mean[c], shift = beta[c];
            const T* from = x + row * S;
            T* to = y + row * S;
            for (Index s = 0; s < S; ++s) to[s] = (from[s] - middle) * scale + shift;
        }
    });
}

template <class T>
void batch_norm_forward(
    const T* x, const T* gamma, const T* beta, T epsilon, T* y, T* mean, T* variance, Index N, Index C, Index S) {
    const T count = static_cast<T>(N * S);
    divide_if(N * C * S > kWorthIt / 4, [&](int part, int parts) {
        const auto [first, last] = stretch(C, part, parts);
        for (Index c = first; c < last; ++c) {
            const auto at = [&](Index n, Index s) { return x[(n * C + c) * S + s]; };
            const T middle = sum_over<T>(N, S, at) / count;
            mean[c] = middle;
            variance[c] = sum_over<T>(N, S, [&](Index n, Index s) {
                              const T d = at(n, s) - middle;
                              return d * d;
                          }) /
                          count;
        }
    });
    Scratch<T> inverse_std(C);
    for (Index c = 0; c < C; ++c) inverse_std[c] = 1 / std::sqrt(variance[c] + epsilon);
    batch_norm_inference(x, gamma, beta, mean, inverse_std.data(), y, N, C, S);
}

template <class T>
void batch_norm_backward(
    const T* dy, const T* x, const T* gamma, const T* mean, const T* inverse_std, T* dx, T* dgamma, T* dbeta, Index N,
    Index C, Index S) {
    const T count = static_cast<T>(N * S);
    divide_if(N * C * S > kWorthIt / 4, [&](int part, int parts) {
        const auto [first, last] = stretch(C, part, parts);
        for (Index c = first; c < last; ++c) {
            const T middle = mean[c], inverse = inverse_std[c];
            const T shift = sum_over<T>(N, S, [&](Index n, Index s) { return dy[(n * C + c) * S + s]; });
            const T scale = sum_over<T>(N, S, [&](Index n, Index s) {
                const Index i = (n * C + c) * S + s;
                return dy[i] * ((x[i] - middle) * inverse);
            });
            dbeta[c] = shift;
            dgamma[c] = scale;
            const T by = gamma[c] * inverse, of_mean = shift / count, of_variance = scale / count;
            for (Index n = 0; n < N; ++n) {
                const Index row = (n * C + c) * S;
                for (Index s = row; s < row + S; ++s)
                    dx[s] = by * (dy[s] - of_mean - (x[s] - middle) * inverse * of_variance);
            }
        }
    });
}

// ---- layer norm: each of M rows by itself ----

template <class T>
void layer_norm_forward(
    const T* x, const T* gamma, const T* beta, T epsilon, T* y, T* mean, T* inverse_std, Index M, Index D) {
    divide_if(M * D > kWorthIt / 4, [&](int part, int parts) {
        const auto [first, last] = stretch(M, part, parts);
        for (Index m = first; m < last; ++m) {
            const T* row = x + m * D;
            const T middle = sum_over<T>(1, D, [&](Index, Index d) { return row[d]; }) / static_cast<T>(D);
            const T variance = sum_over<T>(1, D, [&](Index, Index d) { return (row[d] - middle) * (row[d] - middle); });
            const T inverse = 1 / std::sqrt(variance / static_cast<T>(D) + epsilon);
            for (Index d = 0; d < D; ++d) y[m * D + d] = gamma[d] * ((row[d] - middle) * inverse) + beta[d];
            mean[m] = middle;
            inverse_std[m] = inverse;
        }
    });
}

template <class T>
void layer_norm_backward(
    const T* dy, const T* x, const T* gamma, const T* mean, const T* inverse_std, T* dx, T* dgamma, T* dbeta, Index M,
    Index D) {
    divide_if(M * D > kWorthIt / 4, [&](int part, int parts) {
        const auto [first, last] = stretch(M, part, parts);
        for (Index m = first; m < last; ++m) {
            const Index row = m * D;
            const auto h = [&](Index d) { return (x[row + d] - mean[m]) * inverse_std[m]; };
            const T shift = sum_over<T>(1, D, [&](Index, Index d) { return gamma[d] * dy[row + d]; }) / static_cast<T>(D);
            const T scale =
                sum_over<T>(1, D, [&](Index, Index d) { return gamma[d] * dy[row + d] * h(d); }) / static_cast<T>(D);
            for (Index d = 0; d < D; ++d)
                dx[row + d] = inverse_std[m] * (gamma[d] * dy[row + d] - shift - h(d) * scale);
        }
    });
    divide_if(M * D > kWorthIt / 4, [&](int part, int parts) {
        const auto [first, last] = stretch(D, part, parts, 16);
        std::fill(dgamma + first, dgamma + last, T(0));
        std::fill(dbeta + first, dbeta + last, T(0));
        for (Index m = 0; m < M; ++m)
            for (Index d = first; d < last; ++d) {
                dgamma[d] += dy[m * D + d] * ((x[m * D + d] - mean[m]) * inverse_std[m]);
                dbeta[d] += dy[m * D + d];
            }
    });
}

// ---- each number by itself ----

template <class Work>
void divide_numbers(Index size, Work work) {
    divide_if(size > 65536, [&](int part, int parts) {
        const auto [first, last] = stretch(size, part, parts, 64);
        work(first, last);
    });
}

template <class T>
void relu_forward(const T* x, T* y, Index size) {
    divide_numbers(size, [=](Index first, Index last) {
        for (Index i = first; i < last; ++i) y[i] = x[i] < T(0) ? T(0) : x[i];  // NaN stays NaN
    });
}

template <class T>
void relu_backward(const T* dy, const T* y, T* dx, Index size) {
    divide_numbers(size, [=](Index first, Index last) {
        for (Index i = first; i < last; ++i) dx[i] = dy[i] * (y[i] > T(0) ? T(1) : T(0));
    });
}

template <class T>
void masked_relu_forward(const T* x, T* y, std::uint8_t* mask, Index size) {
    divide_numbers(size, [=](Index first, Index last) {
        using V = Vector<T, CHAINRULE_VECTOR_BYTES>;
        constexpr Index lanes = sizeof(V) / sizeof(T);
        using Bytes = Vector<std::uint8_t, static_cast<int>(lanes)>;
        Index i = first;
        for (; i + lanes <= last; i += lanes) {
            const V from = load<V>(x + i);
            store(y + i, from < T(0) ? V{} : from);
            store(mask + i, __builtin_convertvector(from <= T(0), Bytes) & Bytes{} + 1);
        }
        for (; i < last; ++i) {
            y[i] = x[i] < T(0) ? T(0) : x[i];
            mask[i] = x[i] <= T(0);
        }
    });
}

template <class T>
void zero_update(T* values, const std::uint8_t* mask, Index size) {
    divide_numbers(size, [=](Index first, Index last) {
        for (Index i = first; i < last; ++i) values[i] = mask[i] ? T(0) : values[i];
    });
}

template <class T>
void leaky_relu_forward(const T* x, T slope, T* y, Index size) {
    divide_numbers(size, [=](Index first, Index last) {
        for (Index i = first; i < last; ++i) y[i] = x[i] * (x[i] > T(0) ? T(1) : slope);
    });
}

template <class T>
void leaky_relu_backward(const T* dy, const T* x, T slope, T* dx, Index size) {
    divide_numbers(size, [=](Index first, Index last) {
        for (Index i = first; i < last; ++i) dx[i] = dy[i] * (x[i] > T(0) ? T(1) : slope);
    });
}

// y = f(x), and dx = dy f'(x) where f' is a function of x or of y.
template <class T, T (*f)(T)>
void apply(const T* x, T* y, Index size) {
    divide_numbers(size, [=](Index first, Index last) {
        for (Index i = first; i < last; ++i) y[i] = f(x[i]);
    });
}

template <class T, T (*derivative)(T)>
void apply_backward(const T* dy, const T* at, T* dx, Index size) {
    divide_numbers(size, [=](Index first, Index last) {
        for (Index i = first; i < last; ++i) dx[i] = dy[i] * derivative(at[i]);
    });
}

template <class T>
inline T sigmoid_slope(T y) { return y * (1 - y); }

template <class T>
inline T tangent_slope(T y) { return 1 - y * y; }

template <class T>
inline T silu(T x) { return x * sigmoid(x); }

template <class T>
inline T silu_slope(T x) {
    const T s = sigmoid(x);
    return s * (1 + x * (1 - s));
}

template <class T>
inline T softplus(T x) { return (x > 0 ? x : x == x ? T(0) : x) + logarithm_of_one_plus(exponential(-std::abs(x))); }

template <class T>
inline T normal_share(T x) { return T(0.5) * std::erfc(x * T(-0.70710678118654752440)); }

template <class T>
inline T gelu(T x) { return x * normal_share(x); }

template <class T>
inline T gelu_slope(T x) { return normal_share(x) + x * T(0.39894228040143267794) * exponential(T(-0.5) * x * x); }

// Softmax over rows of C numbers.
template <class T>
void softmax(const T* x, T* y, Index N, Index C) {
    divide_if(N * C > 16384, [&](int part, int parts) {
        const auto [first, last] = stretch(N, part, parts);
        for (Index n = first; n < last; ++n) {
            T top = x[n * C];
            for (Index c = 1; c < C; ++c) {
                const T z = x[n * C + c];
                top = z > top || z != z ? z : top;
            }
            for (Index c = 0; c < C; ++c) y[n * C + c] = x[n * C + c] - top;
        }
        for (Index i = first * C; i < last * C; ++i) y[i] = exponential(y[i]);
        for (Index n = first; n < last; ++n) {
            T total = T(0);
            for (Index c = 0; c < C; ++c) total += y[n * C + c];
            for (Index c = 0; c < C; ++c) y[n * C + c] /= total;
        }
    });
}

template <class T>
void softmax_backward(const T* dy, const T* y, T* dx, Index N, Index C) {
    divide_if(N * C > 16384, [&](int part, int parts) {
        const auto [first, last] = stretch(N, part, parts);
        for (Index n = first; n < last; ++n) {
            const Index row = n * C;
            const T sum = sum_over<T>(1, C, [&](Index, Index c) { return dy[row + c] * y[row + c]; });
            for (Index i = row; i < row + C; ++i) dx[i] = y[i] * (dy[i] - sum);
        }
    });
}

template <class T>
void dropout(const T* x, const std::uint8_t* keep, T rest, T* y, Index size) {
    divide_numbers(size, [=](Index first, Index last) {
        for (Index i = first; i < last; ++i) y[i] = keep[i] ? x[i] / rest : T(0);
    });
}

template <class T>
void scale_bytes(const std::uint8_t* x, T factor, T* y, Index size) {
    divide_numbers(size, [=](Index first, Index last) {
        for (Index i = first; i < last; ++i) y[i] = static_cast<T>(x[i]) * factor;
    });
}

template <class T>
void scale_numbers(const T* x, T factor, T* y, Index size) {
    divide_numbers(size, [=](Index first, Index last) {
        for (Index i = first; i < last; ++i) y[i] = x[i] * factor;
    });
}

// ---- loss ----

template <class T>
double softmax_cross_entropy(const T* logits, const Index* labels, T* dlogits, Index N, Index C) {
    const T share = T(1) / static_cast<T>(std::max<Index>(N, 1));
    for (Index n = 0; n < N; ++n) {
        const T* z = logits + n * C;
        T top = z[0];
        for (Index c = 1; c < C; ++c) top = z[c] > top || z[c] != z[c] ? z[c] : top;
        for (Index c = 0; c < C; ++c) dlogits[n * C + c] = z[c] - top;
    }
    double loss = 0;
    for (Index n = 0; n < N; ++n) loss -= static_cast<double>(dlogits[n * C + labels[n]]);
    for (Index i = 0; i < N * C; ++i) dlogits[i] = exponential(dlogits[i]);
    for (Index n = 0; n < N; ++n) {
        T* d = dlogits + n * C;
        T total = T(0);
        for (Index c = 0; c < C; ++c) total += d[c];
        loss += static_cast<double>(std::log(total));
        const T by = share / total;
        for (Index c = 0; c < C; ++c) d[c] *= by;
        d[labels[n]] -= share;
    }
    return N ? loss / static_cast<double>(N) : 0.0;
}

// ---- updates: they clear the gradients ----

// Divided even where there is little to do: each thread then finds in its own cache what it wrote there in backward.
template <class Work>
void divide_update(Index size, Work work) {
    divide_if(size > 8192, [&](int part, int parts) {
        const auto [first, last] = stretch(size, part, parts, 64);
        work(first, last);
    });
}

template <class T>
void sgd_update(T* values, T* gradients, T* velocity, T rate, T momentum, bool nesterov, Index size) {
    divide_update(size, [=](Index first, Index last) {
        if (velocity == nullptr) {
            for (Index i = first; i < last; ++i) {
                values[i] -= rate * gradients[i];
                gradients[i] = T(0);
            }
            return;
        }
        for (Index i = first; i < last; ++i) {
            const T g = gradients[i];
            velocity[i] = momentum * velocity[i] + g;
            values[i] -= rate * (nesterov ? g + momentum * velocity[i] : velocity[i]);
            gradients[i] = T(0);
        }
    });
}

template <class T>
void adagrad_update(T* values, T* gradients, T* square, T rate, T epsilon, Index size) {
    divide_update(size, [=](Index first, Index last) {
        for (Index i = first; i < last; ++i) {
            const T g = gradients[i];
            square[i] += g * g;
            values[i] -= rate * (g / (std::sqrt(square[i]) + epsilon));
            gradients[i] = T(0);
        }
    });
}

template <class T>
void rmsprop_update(T* values, T* gradients, T* square, T rate, T decay, T epsilon, Index size) {
    divide_update(size, [=](Index first, Index last) {
        for (Index i = first; i < last; ++i) {
            const T g = gradients[i];
            square[i] = decay * square[i] + (1 - decay) * g * g;
            values[i] -= rate * (g / (std::sqrt(square[i]) + epsilon));
            gradients[i] = T(0);
        }
    });
}

template <class T>
void adam_update(
    T* values, T* gradients, T* mean, T* square, T rate, T beta1, T beta2, T epsilon, T correction1, T correction2,
    Index size) {
    divide_update(size, [=](Index first, Index last) {
        for (Index i = first; i < last; ++i) {
            const T g = gradients[i];
            mean[i] = beta1 * mean[i] + (1 - beta1) * g;
            square[i] = beta2 * square[i] + (1 - beta2) * g * g;
            values[i] -= rate / correction1 * mean[i] / (std::sqrt(square[i] / correction2) + epsilon);
            gradients[i] = T(0);
        }
    });
}

template <class T>
void decay_update(T* values, T factor, Index size) {
    divide_update(size, [=](Index first, Index last) {
        for (Index i = first; i < last; ++i) values[i] *= factor;
    });
}

template <class T>
void average_update(T* average, const T* values, T decay, Index size) {
    divide_update(size, [=](Index first, Index last) {
        for (Index i = first; i < last; ++i) average[i] = decay * average[i] + (1 - decay) * values[i];
    });
}

// ---- batches ----

// to (N, size): the chosen rows; places are from 0 to the number of rows less one.
void take_rows(const std::uint8_t* from, const Index* chosen, std::uint8_t* to, Index N, Index size) {
    divide_if(N * size > 32768, [&](int part, int parts) {
        const auto [first, last] = stretch(N, part, parts);
        constexpr Index ahead = 6;  // rows lie far from each other: the memory is asked for them in time
        for (Index n = first; n < last; ++n) {
            if (n + ahead < last)
                for (Index i = 0; i < size; i += 64) __builtin_prefetch(from + chosen[n + ahead] * size + i);
            std::memcpy(to + n * size, from + chosen[n] * size, static_cast<std::size_t>(size));
        }
    });
}

// What `take` makes of each column of three rows, and then of each three of these: a function of 3 x 3 neighbours. The
// image has a border of one pixel, and so have the rows of `out`, which are `line` apart.
template <class Take>
void of_neighbours(const float* image, Index line, Index H, Index W, float* column, float* out, Take take) {
    for (Index p = 0; p < H; ++p) {
        const float* from = image + p * line;
        for (Index q = 0; q < W + 2; ++q) column[q] = take(take(from[q], from[line + q]), from[2 * line + q]);
        float* to = out + (p + 1) * line + 1;
        for (Index q = 0; q < W; ++q) to[q] = take(take(column[q], column[q + 1]), column[q + 2]);
    }
}

// Each output pixel is read at a place of its own; then mixed with its neighbours.
void distort_images(
    const std::uint8_t* x, const float* maps, const float* controls, const float* row_weights, const float* column_weights,
    const float* thickness, const float* blur, std::uint8_t* y, Index N, Index C, Index H, Index W, Index G) {
    Scratch<float> turned(G * W);  // column weights, a row for each control point
    transpose(column_weights, G, turned.data(), W, G, W);
    divide_if(N * C * H * W > 8192, [&](int part, int parts) {
        const auto [first, last] = stretch(N, part, parts);
        const Index line = W + 4, size = (H + 4) * line;
        Scratch<float> padded(size), half(G), place(2 * H * W), image(size), near(size), column(line);
        for (float* memory : {padded.data(), image.data(), near.data()}) std::fill(memory, memory + size, 0.0f);
        for (Index n = first; n < last; ++n) {
            const float* map = maps + n * 6;
            for (Index d = 0; d < 2; ++d)
                for (Index p = 0; p < H; ++p) {
                    const float* control = controls + (n * 2 + d) * G * G;
                    std::fill(half.data(), half.data() + G, 0.0f);
                    for (Index i = 0; i < G; ++i)
                        for (Index j = 0; j < G; ++j) half[j] += row_weights[p * G + i] * control[i * G + j];
                    const float down = static_cast<float>(p) - 0.5f * static_cast<float>(H - 1);
                    const float begin = map[3 * d] * down + map[3 * d + 2] + 0.5f * static_cast<float>((d ? W : H) - 1);
                    float* at = place.data() + (d * H + p) * W;
                    for (Index q = 0; q < W; ++q)
                        at[q] = begin + map[3 * d + 1] * (static_cast<float>(q) - 0.5f * static_cast<float>(W - 1));
                    for (Index j = 0; j < G; ++j)
                        for (Index q = 0; q < W; ++q) at[q] += half[j] * turned[j * W + q];
                    const float most = static_cast<float>(d ? W : H);
                    for (Index q = 0; q < W; ++q) at[q] = (at[q] >= -1.0f ? (at[q] < most ? at[q] : most) : -1.0f) + 1.0f;
                }
            for (Index c = 0; c < C; ++c) {
                const std::uint8_t* from = x + (n * C + c) * H * W;
                for (Index p = 0; p < H; ++p)
                    for (Index q = 0; q < W; ++q) padded[(p + 1) * line + q + 1] = from[p * W + q];
                for (Index p = 0; p < H; ++p)
                    for (Index q = 0; q < W; ++q) {
                        const float down = place[p * W + q], across = place[(H + p) * W + q];
                        const auto i = static_cast<std::int32_t>(down), j = static_cast<std::int32_t>(across);
                        const float a = down - static_cast<float>(i), b = across - static_cast<float>(j);
                        const float* four = padded.data() + i * line + j;
                        const float upper = four[0] * (1 - b) + four[1] * b;
                        const float lower = four[line] * (1 - b) + four[line + 1] * b;
                        image[(p + 1) * line + q + 1] = upper * (1 - a) + lower * a;
                    }
                const auto mix = [&](float share) {
                    for (Index p = 1; p <= H; ++p)
                        for (Index q = p * line + 1; q <= p * line + W; ++q) image[q] += share * (near[q] - image[q]);
                };
                if (thickness[n] > 0) {
                    of_neighbours(image.data(), line, H, W, column.data(), near.data(), [](float a, float b) { return a < b ? b : a; });
                    mix(thickness[n]);
                } else if (thickness[n] < 0) {
                    of_neighbours(image.data(), line, H, W, column.data(), near.data(), [](float a, float b) { return b < a ? b : a; });
                    mix(-thickness[n]);
                }
                if (blur[n] != 0) {
                    of_neighbours(image.data(), line, H, W, column.data(), near.data(), [](float a, float b) { return a + b; });
                    for (Index i = 0; i < size; ++i) near[i] *= 1.0f / 9;
                    mix(blur[n]);
                }
                std::uint8_t* to = y + (n * C + c) * H * W;
                for (Index p = 0; p < H; ++p)
                    for (Index q = 0; q < W; ++q) {
                        const float value = image[(p + 1) * line + q + 1] + 0.5f;
                        to[p * W + q] = static_cast<std::uint8_t>(value >= 0 ? (value < 255.5f ? value : 255.0f) : 0.0f);
                    }
            }
        }
    });
}

template <class T>
constexpr Table<T> make_table() {
    return {
        affine_forward<T, T>,
        affine_weight_gradient<T, T>,
        affine_bias_gradient<T>,
        affine_input_gradient<T>,
        affine_forward<T, float>,
        affine_weight_gradient<T, float>,
        chain_forward<T, T>,
        chain_forward<T, std::uint8_t>,
        add_chain_gradients<T, T>,
        add_chain_gradients<T, std::uint8_t>,
        conv_forward<T>,
        conv_weight_gradient<T>,
        conv_bias_gradient<T>,
        conv_input_gradient<T>,
        conv_relu_pool_forward<T>,
        conv_relu_pool_weight_gradient<T>,
        conv_relu_pool_input_gradient<T>,
        max_pool_forward<T>,
        max_pool_backward<T>,
        avg_pool_forward<T>,
        avg_pool_backward<T>,
        batch_norm_forward<T>,
        batch_norm_backward<T>,
        batch_norm_inference<T>,
        layer_norm_forward<T>,
        layer_norm_backward<T>,
        relu_forward<T>,
        relu_backward<T>,
        masked_relu_forward<T>,
        zero_update<T>,
        leaky_relu_forward<T>,
        leaky_relu_backward<T>,
        {apply<T, sigmoid<T>>, apply_backward<T, sigmoid_slope<T>>},
        {apply<T, tangent<T>>, apply_backward<T, tangent_slope<T>>},
        {apply<T, silu<T>>, apply_backward<T, silu_slope<T>>},
        {apply<T, softplus<T>>, apply_backward<T, sigmoid<T>>},
        {apply<T, gelu<T>>, apply_backward<T, gelu_slope<T>>},
        softmax<T>,
        softmax_backward<T>,
        dropout<T>,
        scale_bytes<T>,
        scale_numbers<T>,
        softmax_cross_entropy<T>,
        sgd_update<T>,
        adagrad_update<T>,
        rmsprop_update<T>,
        adam_update<T>,
        decay_update<T>,
        average_update<T>,
        take_rows,
        distort_images,
    };
}

}  // namespace

extern const Table<float> singles;
extern const Table<double> doubles;
const Table<float> singles = make_table<float>();
const Table<double> doubles = make_table<double>();

}  // namespace chainrule::CHAINRULE_ISA
