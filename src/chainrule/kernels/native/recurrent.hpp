// Recurrences over whole sequences: RNN, LSTM and GRU, forward and backward through time.
//
// a (N, T, G) is xW + b of all steps, G = H, 4 H or 3 H; U (H, G); h and c (N, H) are the state before the first step. Arrays
// (N, T, ...) hold what each step keeps. mask (N, T), which may be null, is true at real steps; the others leave the state
// unchanged. Samples are independent, so each thread takes some of them through all of time.
#pragma once

#include <algorithm>
#include <cstdint>

#include "dense.hpp"
#include "maths.hpp"

// Before a loop whose arrays do not overlap: there are too many for the compiler to check whether they do.
#if defined(__clang__)
#define CHAINRULE_APART _Pragma("clang loop vectorize(assume_safety)")
#else
#define CHAINRULE_APART _Pragma("GCC ivdep")
#endif

namespace chainrule::CHAINRULE_ISA {
namespace {

// Some of the samples, and where their steps lie.
struct Sequences {
    Index first, last, steps, H;
    const std::uint8_t* mask;

    Index count() const { return last - first; }
    Index at(Index n, Index t) const { return (first + n) * steps + t; }  // a row of (N T, ...)
    bool there(Index n, Index t) const { return !mask || mask[at(n, t)]; }
};

// Call work(some samples) for all of them; it takes this many multiply-adds.
template <class Work>
void divide_samples(Index N, Index steps, Index H, const std::uint8_t* mask, Index multiply_adds, Work work) {
    divide_if(multiply_adds > kWorthIt, [&](int part, int parts) {
        const auto [first, last] = stretch(N, part, parts);
        if (first < last) work(Sequences{first, last, steps, H, mask});
    });
}

// The state at step t - 1: a row of `all` (N, T, H), or of `begin` (N, H) before the first step.
template <class T>
inline const T* before(const T* begin, const T* all, const Sequences& at, Index n, Index t) {
    return t ? all + at.at(n, t - 1) * at.H : begin + (at.first + n) * at.H;
}

// sums (samples, G) = h_{t-1} U
template <class T>
void recur(const T* h, const T* states, Packed<T> U, T* sums, Index G, const Sequences& at, Index t) {
    const ByRows<T> left{before(h, states, at, 0, t), t ? at.steps * at.H : at.H};
    Dense<T>::block(left, U, (const T*)nullptr, Written<T>{sums, G, false}, at.H, 0, at.count(), 0, G);
}

// u_t = h_{t-1} U: dh_{t-1} = [the current dh (samples, H)] + du_t U^T
template <class T>
void recur_back(const T* du, Packed<T> U_transposed, T* dh, Index G, const Sequences& at, Index t) {
    const ByRows<T> left{du + at.at(0, t) * G, at.steps * G};
    Dense<T>::block(left, U_transposed, (const T*)nullptr, Written<T>{dh, at.H, true}, G, 0, at.count(), 0, at.H);
}

// dh += dy_t; where step t is masked, its da is 0 and dh skips it.
template <class T>
inline bool enter(const T* dy, T* dh, T* da, Index G, const Sequences& at, Index n, Index t) {
    const T* more = dy + at.at(n, t) * at.H;
    CHAINRULE_APART
    for (Index j = 0; j < at.H; ++j) dh[j] += more[j];
    if (!at.there(n, t)) std::fill_n(da, G, T(0));
    return at.there(n, t);
}

// h_t = tanh(a_t + h_{t-1} U)
template <class T>
void rnn_forward(
    const T* a, const T* U, const T* h, const std::uint8_t* mask, T* states, Index N, Index steps, Index H) {
    Scratch<T> memory(Dense<T>::packed_size(H, H));
    const Packed<T> right = Dense<T>::pack(ByRows<T>{U, H}, H, H, memory.data());
    divide_samples(N, steps, H, mask, N * steps * H * H, [=](const Sequences& at) {
        Scratch<T> sums(at.count() * H);
        for (Index t = 0; t < steps; ++t) {
            recur(h, states, right, sums.data(), H, at, t);
            for (Index n = 0; n < at.count(); ++n) {
                const T* a_t = a + at.at(n, t) * H;
                const T* u = sums.data() + n * H;
                T* state = states + at.at(n, t) * H;
                if (at.there(n, t)) {
                    CHAINRULE_APART
                    for (Index j = 0; j < H; ++j) state[j] = tangent(a_t[j] + u[j]);
                } else {
                    std::copy_n(before(h, states, at, n, t), H, state);
                }
            }
        }
    });
}

// h_t = tanh(a_t + h_{t-1} U): da_t = dh_t (1 - h_t^2), dh_{t-1} = da_t U^T. dh (N, H) is that of the last state and becomes
// that of the initial state.
template <class T>
void rnn_backward(
    const T* dy, T* dh, const T* U, const T* states, const std::uint8_t* mask, T* da, Index N, Index steps, Index H) {
    Scratch<T> memory(Dense<T>::packed_size(H, H));
    const Packed<T> right = Dense<T>::pack(ByColumns<T>{U, H}, H, H, memory.data());
    divide_samples(N, steps, H, mask, N * steps * H * H, [=](const Sequences& at) {
        for (Index t = steps; t-- > 0;) {
            for (Index n = 0; n < at.count(); ++n) {
                T* dh_n = dh + (at.first + n) * H;
                T* da_t = da + at.at(n, t) * H;
                if (!enter(dy, dh_n, da_t, H, at, n, t)) continue;
                const T* state = states + at.at(n, t) * H;
                CHAINRULE_APART
                for (Index j = 0; j < H; ++j) {
                    da_t[j] = dh_n[j] * (1 - state[j] * state[j]);
                    dh_n[j] = T(0);
                }
            }
            recur_back(da, right, dh + at.first * H, H, at, t);
        }
    });
}

// i, f, g, o side by side: i, f, o = sigmoid, g = tanh of a_t + h_{t-1} U;  c_t = f c_{t-1} + i g;  h_t = o tanh(c_t)
template <class T>
void lstm_forward(
    const T* a, const T* U, const T* h, const T* c, const std::uint8_t* mask, T* states, T* cells, T* gates, Index N,
    Index steps, Index H) {
    const Index G = 4 * H;
    Scratch<T> memory(Dense<T>::packed_size(H, G));
    const Packed<T> right = Dense<T>::pack(ByRows<T>{U, G}, H, G, memory.data());
    divide_samples(N, steps, H, mask, N * steps * H * G, [=](const Sequences& at) {
        Scratch<T> sums(at.count() * G);
        for (Index t = 0; t < steps; ++t) {
            recur(h, states, right, sums.data(), G, at, t);
            for (Index n = 0; n < at.count(); ++n) {
                const T *a_t = a + at.at(n, t) * G, *u = sums.data() + n * G, *c_before = before(c, cells, at, n, t);
                T *gate = gates + at.at(n, t) * G, *state = states + at.at(n, t) * H, *cell = cells + at.at(n, t) * H;
                CHAINRULE_APART
                for (Index j = 0; j < 2 * H; ++j) gate[j] = sigmoid(a_t[j] + u[j]);
                CHAINRULE_APART
                for (Index j = 2 * H; j < 3 * H; ++j) gate[j] = tangent(a_t[j] + u[j]);
                CHAINRULE_APART
                for (Index j = 3 * H; j < G; ++j) gate[j] = sigmoid(a_t[j] + u[j]);
                if (at.there(n, t)) {
                    CHAINRULE_APART
                    for (Index j = 0; j < H; ++j) cell[j] = gate[H + j] * c_before[j] + gate[j] * gate[2 * H + j];
                    CHAINRULE_APART
                    for (Index j = 0; j < H; ++j) state[j] = gate[3 * H + j] * tangent(cell[j]);
                } else {
                    std::copy_n(c_before, H, cell);
                    std::copy_n(before(h, states, at, n, t), H, state);
                }
            }
        }
    });
}

// h_t = o tanh(c_t): do = dh_t tanh(c_t), dc_t += dh_t o (1 - tanh(c_t)^2).  c_t = f c_{t-1} + i g: di = dc_t g,
// df = dc_t c_{t-1}, dg = dc_t i, dc_{t-1} = dc_t f.  Then each through its sigmoid or tanh, and dh_{t-1} = da_t U^T. dh and dc
// (N, H) are those of the last state and become those of the initial state.
template <class T>
void lstm_backward(
    const T* dy, T* dh, T* dc, const T* U, const T* c, const T* cells, const T* gates, const std::uint8_t* mask, T* da,
    Index N, Index steps, Index H) {
    const Index G = 4 * H;
    Scratch<T> memory(Dense<T>::packed_size(G, H));
    const Packed<T> right = Dense<T>::pack(ByColumns<T>{U, G}, G, H, memory.data());
    divide_samples(N, steps, H, mask, N * steps * H * G, [=](const Sequences& at) {
        for (Index t = steps; t-- > 0;) {
            for (Index n = 0; n < at.count(); ++n) {
                T *dh_n = dh + (at.first + n) * H, *dc_n = dc + (at.first + n) * H, *da_t = da + at.at(n, t) * G;
                if (!enter(dy, dh_n, da_t, G, at, n, t)) continue;
                const T *gate = gates + at.at(n, t) * G, *cell = cells + at.at(n, t) * H;
                const T* c_before = before(c, cells, at, n, t);
                CHAINRULE_APART
                for (Index j = 0; j < H; ++j) {
                    const T i = gate[j], f = gate[H + j], g = gate[2 * H + j], o = gate[3 * H + j];
                    const T tanh_cell = tangent(cell[j]), dcell = dc_n[j] + dh_n[j] * o * (1 - tanh_cell * tanh_cell);
                    da_t[j] = dcell * g * i * (1 - i);
                    da_t[H + j] = dcell * c_before[j] * f * (1 - f);
                    da_t[2 * H + j] = dcell * i * (1 - g * g);
                    da_t[3 * H + j] = dh_n[j] * tanh_cell * o * (1 - o);
                    dc_n[j] = dcell * f;
                    dh_n[j] = T(0);
                }
            }
            recur_back(da, right, dh + at.first * H, G, at, t);
        }
    });
}

// r, z, n side by side, u = h_{t-1} U in three parts: r, z = sigmoid(a_t + u);  inner = u_n + b_hidden;
// n = tanh(a_n + r inner);  h_t = (1 - z) n + z h_{t-1}
template <class T>
void gru_forward(
    const T* a, const T* U, const T* b_hidden, const T* h, const std::uint8_t* mask, T* states, T* gates, T* inners, Index N,
    Index steps, Index H) {
    const Index G = 3 * H;
    Scratch<T> memory(Dense<T>::packed_size(H, G));
    const Packed<T> right = Dense<T>::pack(ByRows<T>{U, G}, H, G, memory.data());
    divide_samples(N, steps, H, mask, N * steps * H * G, [=](const Sequences& at) {
        Scratch<T> sums(at.count() * G);
        for (Index t = 0; t < steps; ++t) {
            recur(h, states, right, sums.data(), G, at, t);
            for (Index n = 0; n < at.count(); ++n) {
                const T *a_t = a + at.at(n, t) * G, *u = sums.data() + n * G, *h_before = before(h, states, at, n, t);
                T *gate = gates + at.at(n, t) * G, *state = states + at.at(n, t) * H, *inner = inners + at.at(n, t) * H;
                CHAINRULE_APART
                for (Index j = 0; j < 2 * H; ++j) gate[j] = sigmoid(a_t[j] + u[j]);
                CHAINRULE_APART
                for (Index j = 0; j < H; ++j) inner[j] = u[2 * H + j] + b_hidden[j];
                CHAINRULE_APART
                for (Index j = 0; j < H; ++j) gate[2 * H + j] = tangent(a_t[2 * H + j] + gate[j] * inner[j]);
                if (at.there(n, t)) {
                    CHAINRULE_APART
                    for (Index j = 0; j < H; ++j)
                        state[j] = (1 - gate[H + j]) * gate[2 * H + j] + gate[H + j] * h_before[j];
                } else {
                    std::copy_n(h_before, H, state);
                }
            }
        }
    });
}

// h_t = (1 - z) n + z h_{t-1}: dz = dh_t (h_{t-1} - n), dn = dh_t (1 - z), dh_{t-1} = dh_t z.  n = tanh(a_n + r inner),
// inner = u_n + b_hidden: dr = dn inner, du_n = dn r.  Then dh_{t-1} += du_t U^T. dh (N, H) is that of the last state and
// becomes that of the initial state.
template <class T>
void gru_backward(
    const T* dy, T* dh, const T* U, const T* h, const T* states, const T* gates, const T* inners, const std::uint8_t* mask,
    T* da, T* du, Index N, Index steps, Index H) {
    const Index G = 3 * H;
    Scratch<T> memory(Dense<T>::packed_size(G, H));
    const Packed<T> right = Dense<T>::pack(ByColumns<T>{U, G}, G, H, memory.data());
    divide_samples(N, steps, H, mask, N * steps * H * G, [=](const Sequences& at) {
        for (Index t = steps; t-- > 0;) {
            for (Index n = 0; n < at.count(); ++n) {
                T *dh_n = dh + (at.first + n) * H, *da_t = da + at.at(n, t) * G, *du_t = du + at.at(n, t) * G;
                if (!enter(dy, dh_n, da_t, G, at, n, t)) {
                    std::fill_n(du_t, G, T(0));
                    continue;
                }
                const T *gate = gates + at.at(n, t) * G, *inner = inners + at.at(n, t) * H;
                const T* h_before = before(h, states, at, n, t);
                CHAINRULE_APART
                for (Index j = 0; j < H; ++j) {
                    const T r = gate[j], z = gate[H + j], value = gate[2 * H + j];
                    const T dvalue = dh_n[j] * (1 - z) * (1 - value * value);
                    const T dr = dvalue * inner[j] * r * (1 - r), dz = dh_n[j] * (h_before[j] - value) * z * (1 - z);
                    da_t[j] = du_t[j] = dr;
                    da_t[H + j] = du_t[H + j] = dz;
                    da_t[2 * H + j] = dvalue;
                    du_t[2 * H + j] = dvalue * r;
                    dh_n[j] *= z;
                }
            }
            recur_back(du, right, dh + at.first * H, G, at, t);
        }
    });
}

}  // namespace
}  // namespace chainrule::CHAINRULE_ISA
