// Bindings of elementwise.hpp.
#include "bindings.hpp"

namespace chainrule::bindings {
namespace {

template <class T>
void bind(nb::module_& m) {
    const auto& kernels = table<T>();
    m.def("relu_forward", [&kernels](In<T> x) {
        auto y = Fresh<T>::like(x);
        Free free;
        kernels.relu_forward(x.data(), y.data, static_cast<Index>(x.size()));
        return y.array;
    }, exactly);
    m.def("relu_backward", [&kernels](In<T> dy, In<T> y) {
        if (name(dy) != name(y)) throw nb::next_overload();
        auto dx = Fresh<T>::like(dy);
        Free free;
        kernels.relu_backward(dy.data(), y.data(), dx.data, static_cast<Index>(dy.size()));
        return dx.array;
    }, exactly, exactly);
    m.def("masked_relu_forward", [&kernels](In<T> x) {
        auto y = Fresh<T>::like(x);
        auto mask = Fresh<bool>::like(x);
        {
            Free free;
            kernels.masked_relu_forward(
                x.data(), y.data, reinterpret_cast<std::uint8_t*>(mask.data), static_cast<Index>(x.size()));
        }
        return std::make_tuple(y.array, mask.array);
    }, exactly);
    m.def("zero_update", [&kernels](InPlace<T> values, In<bool> mask) {
        if (name(values) != name(mask)) throw nb::next_overload();
        Free free;
        kernels.zero_update(
            values.data(), reinterpret_cast<const std::uint8_t*>(mask.data()), static_cast<Index>(values.size()));
    }, exactly, exactly);
    m.def("leaky_relu_forward", [&kernels](In<T> x, double slope) {
        auto y = Fresh<T>::like(x);
        Free free;
        kernels.leaky_relu_forward(x.data(), static_cast<T>(slope), y.data, static_cast<Index>(x.size()));
        return y.array;
    }, exactly, nb::arg());
    m.def("leaky_relu_backward", [&kernels](In<T> dy, In<T> x, double slope) {
        if (name(dy) != name(x)) throw nb::next_overload();
        auto dx = Fresh<T>::like(dy);
        Free free;
        kernels.leaky_relu_backward(
            dy.data(), x.data(), static_cast<T>(slope), dx.data, static_cast<Index>(dy.size()));
        return dx.array;
    }, exactly, exactly, nb::arg());
    const auto one_by_one = [&m](const char* forward, const char* backward, const auto& kernel) {
        m.def(forward, [&kernel](In<T> x) {
            auto y = Fresh<T>::like(x);
            Free free;
            kernel.forward(x.data(), y.data, static_cast<Index>(x.size()));
            return y.array;
        }, exactly);
        m.def(backward, [&kernel](In<T> dy, In<T> at) {
            if (name(dy) != name(at)) throw nb::next_overload();
            auto dx = Fresh<T>::like(dy);
            Free free;
            kernel.backward(dy.data(), at.data(), dx.data, static_cast<Index>(dy.size()));
            return dx.array;
        }, exactly, exactly);
    };
    one_by_one("sigmoid_forward", "sigmoid_backward", kernels.sigmoid);
    one_by_one("tanh_forward", "tanh_backward", kernels.tanh);
    one_by_one("silu_forward", "silu_backward", kernels.silu);
    one_by_one("softplus_forward", "softplus_backward", kernels.softplus);
    one_by_one("gelu_forward", "gelu_backward", kernels.gelu);
    m.def("softmax", [&kernels](In<T> x) {
        if (x.ndim() == 0 || x.size() == 0) throw nb::next_overload();
        auto y = Fresh<T>::like(x);
        const Index C = length(x, x.ndim() - 1);
        Free free;
        kernels.softmax(x.data(), y.data, static_cast<Index>(x.size()) / C, C);
        return y.array;
    }, exactly);
    m.def("softmax_backward", [&kernels](In<T> dy, In<T> y) {
        if (name(dy) != name(y) || y.ndim() == 0 || y.size() == 0) throw nb::next_overload();
        auto dx = Fresh<T>::like(dy);
        const Index C = length(y, y.ndim() - 1);
        Free free;
        kernels.softmax_backward(dy.data(), y.data(), dx.data, static_cast<Index>(y.size()) / C, C);
        return dx.array;
    }, exactly, exactly);
    m.def("sum_forward", [&kernels](In<T> a, In<T> b) {
        if (name(a) != name(b)) throw nb::next_overload();
        auto y = Fresh<T>::like(a);
        Free free;
        kernels.sum_forward(a.data(), b.data(), y.data, static_cast<Index>(a.size()));
        return y.array;
    }, exactly, exactly);
    m.def("dropout", [&kernels](In<T> x, In<bool> keep, double rate) {
        if (name(x) != name(keep)) throw nb::next_overload();
        auto y = Fresh<T>::like(x);
        Free free;
        kernels.dropout(
            x.data(), reinterpret_cast<const std::uint8_t*>(keep.data()), static_cast<T>(1 - rate), y.data,
            static_cast<Index>(x.size()));
        return y.array;
    }, exactly, exactly, nb::arg());

    const auto wanted = [](nb::handle dtype) {  // NumPy's own type numbers of float32 and float64
        if (!nb::hasattr(dtype, "num")) throw nb::next_overload();
        return nb::cast<int>(dtype.attr("num")) == (sizeof(T) == 4 ? 11 : 12);
    };
    m.def("scale_forward", [&kernels, wanted](In<T> x, double factor, nb::handle dtype) {
        if (!wanted(dtype)) throw nb::next_overload();
        auto y = Fresh<T>::like(x);
        Free free;
        kernels.scale_numbers(x.data(), static_cast<T>(factor), y.data, static_cast<Index>(x.size()));
        return y.array;
    }, exactly, nb::arg(), nb::arg());
    m.def("scale_forward", [&kernels, wanted](In<std::uint8_t> x, double factor, nb::handle dtype) {
        if (!wanted(dtype)) throw nb::next_overload();
        auto y = Fresh<T>::like(x);
        Free free;
        kernels.scale_bytes(x.data(), static_cast<T>(factor), y.data, static_cast<Index>(x.size()));
        return y.array;
    }, exactly, nb::arg(), nb::arg());
}

}  // namespace

void bind_elementwise(nb::module_& m) {
    bind<float>(m);
    bind<double>(m);
}

}  // namespace chainrule::bindings
