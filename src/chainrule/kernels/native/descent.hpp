// A weight's gradient and its update in one pass.
//
// W is updated with x^T dy as soon as a tile of that product exists, so no gradient is written to memory and read again. For
// weights too large for a cache, that traffic is most of what a step of Affine waits for.
#pragma once

#include "affine.hpp"
#include "updates.hpp"

namespace chainrule::CHAINRULE_ISA {
namespace {

// The sums are gradients: each updates its weight and, with momentum, its velocity.
template <class T>
struct Descended {
    T *values, *velocity;
    Index line;
    Descent<T> descent;

    template <int count, class V>
    void operator()(const V* sum, Index m, Index h, Index width, bool) const {
        const Index at = m * line + h;
        V value[count] = {}, moved[count] = {}, g[count];
        for (int i = 0; i < count; ++i) g[i] = sum[i];
        take_row<count>(values + at, width, value);
        if (velocity) {
            take_row<count>(velocity + at, width, moved);
            for (int i = 0; i < count; ++i) descent.with_momentum(value[i], g[i], moved[i]);
            give_row<count>(moved, width, velocity + at);
        } else {
            for (int i = 0; i < count; ++i) descent.without(value[i], g[i]);
        }
        give_row<count>(value, width, values + at);
    }
};

// The effect of affine_weight_gradient and sgd_update on values (D, H), one after the other; gradients are 0 before and after,
// and velocity may be null. In one pass if the whole sum is available at once.
template <class T>
void sgd_product_update(
    T* values, T* gradients, T* velocity, const T* x, const T* dy, T rate, T momentum, bool nesterov, Index N, Index D,
    Index H) {
    if (N > Dense<T>::deep || Thin<T, T>::pays(x, N, D, H)) {
        affine_weight_gradient<T, T>(x, dy, gradients, false, N, D, H);
        sgd_update(values, gradients, velocity, rate, momentum, nesterov, D * H);
        return;
    }
    const Descended<T> to{values, velocity, H, {rate, momentum, nesterov}};
    dense_product(
        ByColumns<T>{x, D}, ByRows<T>{dy, H}, (const T*)nullptr, to, D, N, H, [](Index, Index, Index, Index) {});
}

}  // namespace
}  // namespace chainrule::CHAINRULE_ISA
