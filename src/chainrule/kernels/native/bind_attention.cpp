// Bindings of attention.hpp.
#include "bindings.hpp"

namespace chainrule::bindings {
namespace {

// An array (N, length, D) whose rows may lie apart, like those of a slice of the features.
template <class T>
using Sliced = nb::ndarray<const T, nb::ndim<3>, nb::device::cpu>;

template <class T>
Features<T> features(const Sliced<T>& x) {
    const Index N = length(x, 0), T_ = length(x, 1), D = length(x, 2);
    const Index line = T_ > 1 ? x.stride(1) : N > 1 ? x.stride(0) : D;
    const bool dense = (D < 2 || x.stride(2) == 1) && (N < 2 || T_ < 2 || x.stride(0) == T_ * line) && line >= D;
    if (!dense) throw nb::next_overload();
    return {x.data(), line};
}

// The sizes of q (N, T, D), k and v (N, S, D), after the shapes are checked.
template <class Array>
Heads sizes(const Array& q, const Array& k, const Array& v, Index heads) {
    const Heads at{length(q, 0), length(q, 1), length(k, 1), length(q, 2), heads};
    if (heads < 1 || at.D < 1 || at.D % heads) throw nb::value_error("heads must divide the features");
    expect_product(at.queries, at.keys, at.D);
    product({at.N, heads, at.queries, at.keys, at.D});
    expect(k, {at.N, at.keys, at.D}, "k"), expect(v, {at.N, at.keys, at.D}, "v");
    return at;
}

template <class T>
void bind(nb::module_& m) {
    const auto& kernels = table<T>();
    m.def("attention_forward", [&kernels](
        Sliced<T> q, Sliced<T> k, Sliced<T> v, Index heads, bool causal, std::optional<In<bool>> mask) {
        const Heads at = sizes(q, k, v, heads);
        if (mask) expect(*mask, {at.N, at.keys}, "mask");
        const auto* there = mask ? reinterpret_cast<const std::uint8_t*>(mask->data()) : nullptr;
        const Features<T> of_q = features<T>(q), of_k = features<T>(k), of_v = features<T>(v);
        Fresh<T> y({at.N, at.queries, at.D}), shares({at.N, heads, at.queries, at.keys});
        {
            Free free;
            kernels.attention_forward(of_q, of_k, of_v, there, causal, y.data, shares.data, at);
        }
        return std::make_tuple(y.array, shares.array);
    }, exactly, exactly, exactly, nb::arg(), nb::arg(), exactly_or_none);
    m.def("attention_backward", [&kernels](
        In<T> dy, Sliced<T> q, Sliced<T> k, Sliced<T> v, In<T> shares, Index heads) {
        const Heads at = sizes(q, k, v, heads);
        expect(dy, {at.N, at.queries, at.D}, "dy"), expect(shares, {at.N, heads, at.queries, at.keys}, "shares");
        const Features<T> of_q = features<T>(q), of_k = features<T>(k), of_v = features<T>(v);
        Fresh<T> dq({at.N, at.queries, at.D}), dk({at.N, at.keys, at.D}), dv({at.N, at.keys, at.D});
        {
            Free free;
            kernels.attention_backward(
                dy.data(), of_q, of_k, of_v, shares.data(), dq.data, dk.data, dv.data, at);
        }
        return std::make_tuple(dq.array, dk.array, dv.array);
    }, exactly, exactly, exactly, exactly, exactly, nb::arg());
}

}  // namespace

void bind_attention(nb::module_& m) {
    bind<float>(m);
    bind<double>(m);
}

}  // namespace chainrule::bindings
