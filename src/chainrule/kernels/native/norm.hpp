// Batch norm over x (N, C, S) and layer norm over the rows of x (M, D), forward and backward.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>

#include "scratch.hpp"
#include "sums.hpp"
#include "threads.hpp"

namespace chainrule::CHAINRULE_ISA {
namespace {

// ---- batch norm ----

// y = gamma (x - mean) inverse_std + beta for S positions of one channel; with relu, 0 where that is below 0.
template <class T>
void normalize(const T* x, T scale, T middle, T shift, bool relu, T* y, Index S) {
    const T floor = relu ? T(0) : -std::numeric_limits<T>::infinity();
    for (Index s = 0; s < S; ++s) {
        const T value = (x[s] - middle) * scale + shift;
        y[s] = value < floor ? floor : value;  // NaN stays NaN
    }
}

// The same with given statistics.
template <class T>
void batch_norm_inference(
    const T* x, const T* gamma, const T* beta, const T* mean, const T* inverse_std, bool relu, T* y, Index N, Index C,
    Index S) {
    divide_if(N * C * S > kWorthIt / 4, [&](int part, int parts) {
        const auto [first, last] = stretch(N * C, part, parts);
        for (Index row = first; row < last; ++row) {
            const Index c = row % C;
            normalize(x + row * S, gamma[c] * inverse_std[c], mean[c], beta[c], relu, y + row * S, S);
        }
    });
}

// y = gamma h + beta, h = (x - mean) / sqrt(variance + epsilon) with the batch's statistics of each channel.
template <class T>
void batch_norm_forward(
    const T* x, const T* gamma, const T* beta, T epsilon, bool relu, T* y, T* mean, T* variance, Index N, Index C,
    Index S) {
    const T count = static_cast<T>(N * S);
    const bool at_once = S >= 16;  // while the channel is in the cache; with few positions all channels are written together
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
            const T scale = gamma[c] * (1 / std::sqrt(variance[c] + epsilon));
            for (Index n = 0; at_once && n < N; ++n)
                normalize(x + (n * C + c) * S, scale, middle, beta[c], relu, y + (n * C + c) * S, S);
        }
    });
    if (at_once) return;
    Scratch<T> inverse_std(C);
    for (Index c = 0; c < C; ++c) inverse_std[c] = 1 / std::sqrt(variance[c] + epsilon);
    batch_norm_inference(x, gamma, beta, mean, inverse_std.data(), relu, y, N, C, S);
}

// y = gamma h + beta, h = (x - mean) inverse_std: dbeta = sum dy, dgamma = sum dy h, and since mean and variance also
// depend on x, dx = gamma inverse_std (dy - dbeta / count - h dgamma / count). dy(i) is one number of dy.
template <class T, class Above>
void batch_norm_backward_of(
    const T* x, const T* gamma, const T* mean, const T* inverse_std, T* dx, T* dgamma, T* dbeta, Index N, Index C, Index S,
    Above dy) {
    const T count = static_cast<T>(N * S);
    divide_if(N * C * S > kWorthIt / 4, [&](int part, int parts) {
        const auto [first, last] = stretch(C, part, parts);
        for (Index c = first; c < last; ++c) {
            const T middle = mean[c], inverse = inverse_std[c];
            const T shift = sum_over<T>(N, S, [&](Index n, Index s) { return dy((n * C + c) * S + s); });
            const T scale = sum_over<T>(N, S, [&](Index n, Index s) {
                const Index i = (n * C + c) * S + s;
                return dy(i) * ((x[i] - middle) * inverse);
            });
            dbeta[c] = shift;
            dgamma[c] = scale;
            const T by = gamma[c] * inverse, of_mean = shift / count, of_variance = scale / count;
            for (Index n = 0; n < N; ++n) {
                const Index row = (n * C + c) * S;
                for (Index s = row; s < row + S; ++s)
                    dx[s] = by * (dy(s) - of_mean - (x[s] - middle) * inverse * of_variance);
            }
        }
    });
}

// y is null, or with relu the output: dy counts as 0 where that is not above 0.
template <class T>
void batch_norm_backward(
    const T* dy, const T* x, const T* y, const T* gamma, const T* mean, const T* inverse_std, T* dx, T* dgamma, T* dbeta,
    Index N, Index C, Index S) {
    if (y) {
        batch_norm_backward_of(x, gamma, mean, inverse_std, dx, dgamma, dbeta, N, C, S, [=](Index i) {
            return dy[i] * (y[i] > T(0) ? T(1) : T(0));
        });
    } else {
        batch_norm_backward_of(x, gamma, mean, inverse_std, dx, dgamma, dbeta, N, C, S, [=](Index i) { return dy[i]; });
    }
}

// ---- layer norm: each of M rows separately ----

// y = gamma h + beta, h = (x - mean) / sqrt(variance + epsilon) with each row's own statistics.
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

// y = gamma h + beta, h = (x - mean) inverse_std: with g = gamma dy, dx = inverse_std (g - mean(g) - h mean(g h)).
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

}  // namespace
}  // namespace chainrule::CHAINRULE_ISA
