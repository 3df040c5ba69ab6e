// Elementwise functions, and softmax: the activations both ways, scaling, sums, dropout.
#pragma once

#include <cmath>
#include <cstdint>

#include "maths.hpp"
#include "simd.hpp"
#include "sums.hpp"
#include "threads.hpp"

namespace chainrule::CHAINRULE_ISA {
namespace {

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

// y = max(x, 0): dx = dy where y > 0, else 0.
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
            store(mask + i, __builtin_convertvector(from <= T(0), Bytes) & (Bytes{} + 1));
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

// y = x, or slope x where x <= 0: dx = dy, or slope dy there.
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
CHAINRULE_INLINE T sigmoid_slope(T y) { return y * (1 - y); }

template <class T>
CHAINRULE_INLINE T tangent_slope(T y) { return 1 - y * y; }

template <class T>
CHAINRULE_INLINE T silu(T x) { return x * sigmoid(x); }

template <class T>
CHAINRULE_INLINE T silu_slope(T x) {
    const T s = sigmoid(x);
    return s * (1 + x * (1 - s));
}

template <class T>
CHAINRULE_INLINE T softplus(T x) { return (x > 0 ? x : x == x ? T(0) : x) + logarithm_of_one_plus(exponential(-std::abs(x))); }

template <class T>
CHAINRULE_INLINE T gelu(T x) { return x * normal_share(x); }

template <class T>
CHAINRULE_INLINE T gelu_slope(T x) { return normal_share(x) + x * T(0.39894228040143267794) * exponential(T(-0.5) * x * x); }

// Softmax over rows of C numbers.
template <class T>
void softmax(const T* x, T* y, Index N, Index C) {
    divide_if(N * C > 16384, [&](int part, int parts) {
        const auto [first, last] = stretch(N, part, parts);
        for (Index n = first; n < last; ++n) {
            const T top = largest_of(x + n * C, C);
            for (Index c = 0; c < C; ++c) y[n * C + c] = x[n * C + c] - top;
        }
        for (Index i = first * C; i < last * C; ++i) y[i] = exponential(y[i]);
        for (Index n = first; n < last; ++n) {
            const T total = sum_over<T>(1, C, [&](Index, Index c) { return y[n * C + c]; });
            for (Index c = 0; c < C; ++c) y[n * C + c] /= total;
        }
    });
}

// y = e^x / sum e^x: dx = y (dy - sum over the row of dy y).
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
void sum_forward(const T* a, const T* b, T* y, Index size) {
    divide_numbers(size, [=](Index first, Index last) {
        for (Index i = first; i < last; ++i) y[i] = a[i] + b[i];
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

}  // namespace
}  // namespace chainrule::CHAINRULE_ISA
