// Bindings of conv.hpp.
#include "bindings.hpp"

namespace chainrule::bindings {
namespace {

template <class T>
void bind(nb::module_& m) {
    const auto& kernels = table<T>();
    m.def("conv_forward", [&kernels](
        In<T> x, In<T> W, std::optional<In<T>> b, Pair stride, const Padding& padding, Index groups) {
        const Windows at = convolution(shape_of(x, "x"), shape_of(W, "W"), stride, padding, groups);
        const Index filters = length(W, 0);
        if (b) expect(*b, {filters}, "b");
        Fresh<T> y({at.samples, filters, at.out_height, at.out_width});
        const T* bias = b ? b->data() : nullptr;
        Free free;
        kernels.conv_forward(x.data(), W.data(), bias, y.data, at, filters, groups);
        return y.array;
    }, exactly, exactly, exactly_or_none, nb::arg(), nb::arg(), nb::arg());
    m.def("conv_weight_gradient", [&kernels](
        In<T> x, In<T> dy, Four shape, Pair stride, const Padding& padding, Index groups) {
        const Windows at = convolution(shape_of(x, "x"), shape, stride, padding, groups);
        const Index filters = shape[0];
        expect(dy, {at.samples, filters, at.out_height, at.out_width}, "dy");
        Fresh<T> dW({shape[0], shape[1], shape[2], shape[3]});
        Free free;
        kernels.conv_weight_gradient(x.data(), dy.data(), dW.data, at, filters, groups);
        return dW.array;
    }, exactly, exactly, nb::arg(), nb::arg(), nb::arg(), nb::arg());
    m.def("conv_bias_gradient", [&kernels](In<T> dy) {
        expect_axes(dy, 4, "dy");
        Fresh<T> db({length(dy, 1)});
        Free free;
        kernels.conv_bias_gradient(
            dy.data(), db.data, length(dy, 0), length(dy, 1), length(dy, 2) * length(dy, 3));
        return db.array;
    }, exactly);
    m.def("conv_input_gradient", [&kernels](
        In<T> dy, In<T> W, Four shape, Pair stride, const Padding& padding, Index groups) {
        const Windows at = convolution(shape, shape_of(W, "W"), stride, padding, groups);
        const Index filters = length(W, 0);
        expect(dy, {at.samples, filters, at.out_height, at.out_width}, "dy");
        Fresh<T> dx({shape[0], shape[1], shape[2], shape[3]});
        Free free;
        kernels.conv_input_gradient(dy.data(), W.data(), dx.data, at, filters, groups);
        return dx.array;
    }, exactly, exactly, nb::arg(), nb::arg(), nb::arg(), nb::arg());
}

}  // namespace

void bind_conv(nb::module_& m) {
    bind<float>(m);
    bind<double>(m);
}

}  // namespace chainrule::bindings
