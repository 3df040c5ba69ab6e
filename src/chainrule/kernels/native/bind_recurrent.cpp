// Bindings of recurrent.hpp.
#include "bindings.hpp"

namespace chainrule::bindings {
namespace {

// N, T and H of a recurrence with `gates` gates, after the shapes are checked; the memory of a step is bounded by its arrays.
struct Sizes {
    Index N, T, H, G;
};

template <class Array>
Sizes sizes(const Array& a, const Array& U, Index gates) {
    expect_axes(a, 3, "a"), expect_axes(U, 2, "U");
    const Index N = length(a, 0), T = length(a, 1), H = length(U, 0);
    expect_product(N, H, gates * H);
    product({N, T, H, gates * H});
    expect(U, {H, gates * H}, "U"), expect(a, {N, T, gates * H}, "a");
    return {N, T, H, gates * H};
}

using Mask = std::optional<nb::ndarray<const bool, nb::c_contig, nb::device::cpu>>;

const std::uint8_t* checked(const Mask& mask, const Sizes& at) {
    if (!mask) return nullptr;
    expect(*mask, {at.N, at.T}, "mask");
    return reinterpret_cast<const std::uint8_t*>(mask->data());
}

// A copy that the kernel may change.
template <class T>
Fresh<T> copied(const In<T>& array) {
    auto copy = Fresh<T>::like(array);
    std::copy_n(array.data(), array.size(), copy.data);
    return copy;
}

template <class T>
void bind(nb::module_& m) {
    const auto& kernels = table<T>();
    m.def("rnn_forward", [&kernels](In<T> a, In<T> U, In<T> h, Mask mask) {
        const Sizes at = sizes(a, U, 1);
        expect(h, {at.N, at.H}, "h");
        const auto* there = checked(mask, at);
        Fresh<T> states({at.N, at.T, at.H});
        Free free;
        kernels.rnn_forward(a.data(), U.data(), h.data(), there, states.data, at.N, at.T, at.H);
        return states.array;
    }, exactly, exactly, exactly, exactly_or_none);
    m.def("rnn_backward", [&kernels](In<T> dy, In<T> dh, In<T> U, In<T> states, Mask mask) {
        const Sizes at = sizes(states, U, 1);
        expect(dy, {at.N, at.T, at.H}, "dy"), expect(dh, {at.N, at.H}, "dh");
        const auto* there = checked(mask, at);
        Fresh<T> da({at.N, at.T, at.G}), first = copied(dh);
        {
            Free free;
            kernels.rnn_backward(
                dy.data(), first.data, U.data(), states.data(), there, da.data, at.N, at.T, at.H);
        }
        return std::make_tuple(da.array, first.array);
    }, exactly, exactly, exactly, exactly, exactly_or_none);
    m.def("lstm_forward", [&kernels](In<T> a, In<T> U, In<T> h, In<T> c, Mask mask) {
        const Sizes at = sizes(a, U, 4);
        expect(h, {at.N, at.H}, "h"), expect(c, {at.N, at.H}, "c");
        const auto* there = checked(mask, at);
        Fresh<T> states({at.N, at.T, at.H}), cells({at.N, at.T, at.H}), gates({at.N, at.T, at.G});
        {
            Free free;
            kernels.lstm_forward(
                a.data(), U.data(), h.data(), c.data(), there, states.data, cells.data, gates.data, at.N, at.T, at.H);
        }
        return std::make_tuple(states.array, cells.array, gates.array);
    }, exactly, exactly, exactly, exactly, exactly_or_none);
    m.def("lstm_backward", [&kernels](
        In<T> dy, In<T> dh, In<T> dc, In<T> U, In<T> c, In<T> cells, In<T> gates, Mask mask) {
        const Sizes at = sizes(gates, U, 4);
        expect(dy, {at.N, at.T, at.H}, "dy"), expect(cells, {at.N, at.T, at.H}, "cells");
        expect(dh, {at.N, at.H}, "dh"), expect(dc, {at.N, at.H}, "dc"), expect(c, {at.N, at.H}, "c");
        const auto* there = checked(mask, at);
        Fresh<T> da({at.N, at.T, at.G}), first = copied(dh), first_cell = copied(dc);
        {
            Free free;
            kernels.lstm_backward(
                dy.data(), first.data, first_cell.data, U.data(), c.data(), cells.data(), gates.data(), there, da.data,
                at.N, at.T, at.H);
        }
        return std::make_tuple(da.array, first.array, first_cell.array);
    }, exactly, exactly, exactly, exactly, exactly, exactly, exactly, exactly_or_none);
    m.def("gru_forward", [&kernels](In<T> a, In<T> U, In<T> b_hidden, In<T> h, Mask mask) {
        const Sizes at = sizes(a, U, 3);
        expect(h, {at.N, at.H}, "h"), expect(b_hidden, {at.H}, "b_hidden");
        const auto* there = checked(mask, at);
        Fresh<T> states({at.N, at.T, at.H}), gates({at.N, at.T, at.G}), inners({at.N, at.T, at.H});
        {
            Free free;
            kernels.gru_forward(
                a.data(), U.data(), b_hidden.data(), h.data(), there, states.data, gates.data, inners.data, at.N, at.T,
                at.H);
        }
        return std::make_tuple(states.array, gates.array, inners.array);
    }, exactly, exactly, exactly, exactly, exactly_or_none);
    m.def("gru_backward", [&kernels](
        In<T> dy, In<T> dh, In<T> U, In<T> h, In<T> states, In<T> gates, In<T> inners, Mask mask) {
        const Sizes at = sizes(gates, U, 3);
        expect(dy, {at.N, at.T, at.H}, "dy"), expect(states, {at.N, at.T, at.H}, "states");
        expect(inners, {at.N, at.T, at.H}, "inners"), expect(dh, {at.N, at.H}, "dh"), expect(h, {at.N, at.H}, "h");
        const auto* there = checked(mask, at);
        Fresh<T> da({at.N, at.T, at.G}), du({at.N, at.T, at.G}), first = copied(dh);
        {
            Free free;
            kernels.gru_backward(
                dy.data(), first.data, U.data(), h.data(), states.data(), gates.data(), inners.data(), there, da.data,
                du.data, at.N, at.T, at.H);
        }
        return std::make_tuple(da.array, du.array, first.array);
    }, exactly, exactly, exactly, exactly, exactly, exactly, exactly, exactly_or_none);
}

}  // namespace

void bind_recurrent(nb::module_& m) {
    bind<float>(m);
    bind<double>(m);
}

}  // namespace chainrule::bindings
