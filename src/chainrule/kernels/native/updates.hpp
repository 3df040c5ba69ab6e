// One step of an optimizer, parameters in place; those that read gradients clear them.
#pragma once

#include <algorithm>
#include <cmath>

#include "simd.hpp"
#include "threads.hpp"

namespace chainrule::CHAINRULE_ISA {
namespace {

// Divided even if there is little to do: each thread then finds in its own cache what it wrote there in backward.
template <class Work>
void divide_update(Index size, Work work) {
    divide_if(size > 8192, [&](int part, int parts) {
        const auto [first, last] = stretch(size, part, parts, 64);
        work(first, last);
    });
}

// v <- momentum v + g, p <- p - rate v; with nesterov, p <- p - rate (g + momentum v). For numbers or vectors.
template <class T>
struct Descent {
    T rate, momentum;
    bool nesterov;

    template <class Value>
    void without(Value& value, Value g) const {
        value -= rate * g;
    }

    template <class Value>
    void with_momentum(Value& value, Value g, Value& velocity) const {
        velocity = momentum * velocity + g;
        value -= rate * (nesterov ? g + momentum * velocity : velocity);
    }
};

template <class T>
void sgd_update(T* values, T* gradients, T* velocity, T rate, T momentum, bool nesterov, Index size) {
    const Descent<T> descent{rate, momentum, nesterov};
    divide_update(size, [=](Index first, Index last) {
        // the question is outside the loops, because Clang makes no vectors of a loop that asks it
        if (velocity == nullptr) {
            for (Index i = first; i < last; ++i) {
                descent.without(values[i], gradients[i]);
                gradients[i] = T(0);
            }
        } else {
            for (Index i = first; i < last; ++i) {
                descent.with_momentum(values[i], gradients[i], velocity[i]);
                gradients[i] = T(0);
            }
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

}  // namespace
}  // namespace chainrule::CHAINRULE_ISA
