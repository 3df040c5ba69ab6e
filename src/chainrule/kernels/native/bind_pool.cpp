// Bindings of pool.hpp.
#include "bindings.hpp"

namespace chainrule::bindings {
namespace {

template <class T>
void bind(nb::module_& m) {
    const auto& kernels = table<T>();
    m.def("max_pool_forward", [&kernels](In<T> x, Pair kernel, Pair stride, const Padding& padding) {
        expect_axes(x, 4, "x");
        const Windows at =
            windows(length(x, 0), length(x, 1), length(x, 2), length(x, 3), kernel, stride, padding);
        expect_pooling(at);
        Fresh<T> y({at.samples, at.channels, at.out_height, at.out_width});
        Fresh<std::uint8_t> place({at.samples, at.channels, at.out_height, at.out_width});
        {
            Free free;
            kernels.max_pool_forward(x.data(), y.data, place.data, at);
        }
        return std::make_pair(y.array, place.array);
    }, exactly, nb::arg(), nb::arg(), nb::arg());
    m.def("max_pool_backward", [&kernels](
        In<T> dy, In<std::uint8_t> place, Four shape, Pair kernel, Pair stride, const Padding& padding) {
        const Windows at = windows(shape[0], shape[1], shape[2], shape[3], kernel, stride, padding);
        expect_pooling(at);
        expect(dy, {at.samples, at.channels, at.out_height, at.out_width}, "dy");
        expect(place, {at.samples, at.channels, at.out_height, at.out_width}, "place");
        Fresh<T> dx({shape[0], shape[1], shape[2], shape[3]});
        Free free;
        kernels.max_pool_backward(dy.data(), place.data(), dx.data, at);
        return dx.array;
    }, exactly, exactly, nb::arg(), nb::arg(), nb::arg(), nb::arg());
    m.def("avg_pool_forward", [&kernels](In<T> x, Pair kernel, Pair stride, const Padding& padding) {
        expect_axes(x, 4, "x");
        const Windows at =
            windows(length(x, 0), length(x, 1), length(x, 2), length(x, 3), kernel, stride, padding);
        expect_pooling(at);
        Fresh<T> y({at.samples, at.channels, at.out_height, at.out_width});
        Free free;
        kernels.avg_pool_forward(x.data(), y.data, at);
        return y.array;
    }, exactly, nb::arg(), nb::arg(), nb::arg());
    m.def("avg_pool_backward", [&kernels](
        In<T> dy, Four shape, Pair kernel, Pair stride, const Padding& padding) {
        const Windows at = windows(shape[0], shape[1], shape[2], shape[3], kernel, stride, padding);
        expect_pooling(at);
        expect(dy, {at.samples, at.channels, at.out_height, at.out_width}, "dy");
        Fresh<T> dx({shape[0], shape[1], shape[2], shape[3]});
        Free free;
        kernels.avg_pool_backward(dy.data(), dx.data, at);
        return dx.array;
    }, exactly, nb::arg(), nb::arg(), nb::arg(), nb::arg());
}

}  // namespace

void bind_pool(nb::module_& m) {
    bind<float>(m);
    bind<double>(m);
}

}  // namespace chainrule::bindings
