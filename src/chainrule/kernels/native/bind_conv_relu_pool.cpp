// Bindings of conv_relu_pool.hpp.
#include <algorithm>

#include "bindings.hpp"

namespace chainrule::bindings {
namespace {

template <class Array, class Places>
void expect_pooled(const Array& dy, const Array& y, const Places& place, const Windows& at, Index filters) {
    const std::initializer_list<Index> shape = {at.samples, filters, at.out_height / 2, at.out_width / 2};
    expect(dy, shape, "dy"), expect(y, shape, "y"), expect(place, shape, "place");
    constexpr Index most = Index{1} << 30;  // positions in a padded image are counted in 32 bits
    if ((at.height + at.top + at.bottom) * (at.width + at.left + at.right) >= most / std::max<Index>(at.channels, 1))
        throw nb::next_overload();
}

template <class T>
void bind(nb::module_& m) {
    const auto& kernels = table<T>();
    m.def("conv_relu_pool_forward", [&kernels](
        In<T> x, In<T> W, std::optional<In<T>> b, Pair stride, const Padding& padding, Index groups) {
        const Windows at = convolution(shape_of(x, "x"), shape_of(W, "W"), stride, padding, groups);
        const Index filters = length(W, 0);
        if (b) expect(*b, {filters}, "b");
        Fresh<T> y({at.samples, filters, at.out_height / 2, at.out_width / 2});
        Fresh<std::uint8_t> place({at.samples, filters, at.out_height / 2, at.out_width / 2});
        const T* bias = b ? b->data() : nullptr;
        {
            Free free;
            kernels.conv_relu_pool_forward(x.data(), W.data(), bias, y.data, place.data, at, filters, groups);
        }
        return std::make_pair(y.array, place.array);
    }, exactly, exactly, exactly_or_none, nb::arg(), nb::arg(), nb::arg());
    m.def("conv_relu_pool_weight_gradient", [&kernels](
        In<T> x, In<T> dy, In<T> y, In<std::uint8_t> place, Four shape, Pair stride,
        const Padding& padding, Index groups) {
        const Windows at = convolution(shape_of(x, "x"), shape, stride, padding, groups);
        expect_pooled(dy, y, place, at, shape[0]);
        Fresh<T> dW({shape[0], shape[1], shape[2], shape[3]}), db({shape[0]});
        {
            Free free;
            kernels.conv_relu_pool_weight_gradient(
                x.data(), dy.data(), y.data(), place.data(), dW.data, db.data, at, shape[0], groups);
        }
        return std::make_pair(dW.array, db.array);
    }, exactly, exactly, exactly, exactly, nb::arg(), nb::arg(), nb::arg(), nb::arg());
    m.def("conv_relu_pool_input_gradient", [&kernels](
        In<T> dy, In<T> y, In<std::uint8_t> place, In<T> W, Four shape, Pair stride,
        const Padding& padding, Index groups) {
        const Windows at = convolution(shape, shape_of(W, "W"), stride, padding, groups);
        const Index filters = length(W, 0);
        expect_pooled(dy, y, place, at, filters);
        Fresh<T> dx({shape[0], shape[1], shape[2], shape[3]});
        Free free;
        kernels.conv_relu_pool_input_gradient(
            dy.data(), y.data(), place.data(), W.data(), dx.data, at, filters, groups);
        return dx.array;
    }, exactly, exactly, exactly, exactly, nb::arg(), nb::arg(), nb::arg(), nb::arg());
}

}  // namespace

void bind_conv_relu_pool(nb::module_& m) {
    bind<float>(m);
    bind<double>(m);
}

}  // namespace chainrule::bindings
