// The bindings: each takes what its namesake in kernels/reference takes, checks it, and works without Python's lock.
//
// Arrays are float32 or float64, all of one kind, dense. Arguments of another kind are answered with NotImplemented, and
// the caller (native.py) makes them so or turns to the reference. Shapes that do not fit raise ValueError.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/array.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <initializer_list>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "memory.hpp"
#include "table.hpp"
#include "threads.hpp"

namespace nb = nanobind;

namespace chainrule {
// Stands for any argument, but only after every other overload has declined, with conversions as well.
struct Unsuited {};
}  // namespace chainrule

namespace nanobind::detail {
template <>
struct type_caster<chainrule::Unsuited> {
    NB_TYPE_CASTER(chainrule::Unsuited, const_name("object"))
    bool from_python(handle, std::uint8_t flags, cleanup_list*) noexcept {
        return (flags & static_cast<std::uint8_t>(cast_flags::convert)) != 0;
    }
};
}  // namespace nanobind::detail

using chainrule::Chain;
using chainrule::Index;
using chainrule::Windows;

namespace {

template <class T>
using In = nb::ndarray<const T, nb::c_contig, nb::device::cpu>;
template <class T>
using InPlace = nb::ndarray<T, nb::c_contig, nb::device::cpu>;
template <class T>
using Out = nb::ndarray<nb::numpy, T>;
using Pair = std::pair<Index, Index>;
using Padding = std::pair<Pair, Pair>;
using Free = nb::gil_scoped_release;

// The product of sizes, each of which counts as 1 at least.
//
// Refused where numbers of 64 bits might not hold what is computed from it: such an array fits no memory, and so much
// work would not end.
Index product(std::initializer_list<Index> sizes) {
    constexpr Index most = Index{1} << 56;
    Index result = 1;
    for (Index size : sizes) {
        if (size < 0) throw nb::value_error("a size is below 0");
        if (size > 0 && result > most / size) throw nb::value_error("these sizes are too large: their product is above 2^56");
        result *= std::max<Index>(size, 1);
    }
    return result;
}

// A new array in memory that comes back to us when the array is gone.
template <class T>
struct Fresh {
    static constexpr std::size_t kMost = std::size_t{1} << 56;
    T* data;
    Out<T> array;

    Fresh(std::size_t dimensions, const std::size_t* shape) {
        std::size_t size = 1;
        for (std::size_t i = 0; i < dimensions; ++i) {
            if (shape[i] > kMost) throw nb::value_error("an axis is below 0, or longer than 2^56");
            if (shape[i] > 0 && size > kMost / shape[i]) throw nb::value_error("this array would be larger than 2^56");
            size *= shape[i];
        }
        data = static_cast<T*>(chainrule::take_buffer(size * sizeof(T)));
        nb::capsule owner(data, [](void* buffer) noexcept { chainrule::give_buffer(buffer); });
        array = Out<T>(data, dimensions, shape, owner);
    }
    explicit Fresh(std::initializer_list<Index> shape) : Fresh(std::vector<std::size_t>(shape.begin(), shape.end())) {}
    explicit Fresh(const std::vector<std::size_t>& shape) : Fresh(shape.size(), shape.data()) {}

    // Like another array.
    template <class Array>
    static Fresh like(const Array& other) {
        std::vector<std::size_t> shape(other.ndim());
        for (std::size_t i = 0; i < shape.size(); ++i) shape[i] = other.shape(i);
        return Fresh(shape);
    }
};

std::string name(std::initializer_list<Index> shape) {
    std::string text = "(";
    for (Index length : shape) text += (text.size() > 1 ? ", " : "") + std::to_string(length);
    return text + ")";
}

template <class Array>
std::string name(const Array& array) {
    std::string text = "(";
    for (std::size_t i = 0; i < array.ndim(); ++i) text += (i ? ", " : "") + std::to_string(array.shape(i));
    return text + ")";
}

template <class Array>
void expect(const Array& array, std::initializer_list<Index> shape, const char* what) {
    bool fits = array.ndim() == shape.size();
    std::size_t axis = 0;
    for (Index length : shape) fits = fits && static_cast<Index>(array.shape(axis++)) == length;
    if (!fits) throw nb::value_error((std::string(what) + " has shape " + name(array) + ", expected " + name(shape)).c_str());
}

template <class Array>
void expect_axes(const Array& array, std::size_t axes, const char* what) {
    if (array.ndim() != axes)
        throw nb::value_error(
            (std::string(what) + " has shape " + name(array) + ", expected " + std::to_string(axes) + " axes").c_str());
}

template <class Array>
void expect_axes_or_more(const Array& array, std::size_t axes) {
    if (array.ndim() < axes) throw nb::next_overload();
}

template <class Array>
Index length(const Array& array, std::size_t axis) {
    return static_cast<Index>(array.shape(axis));
}

Windows windows(
    Index samples, Index channels, Index height, Index width, Pair kernel, Pair stride, const Padding& padding) {
    Windows at{};
    at.samples = samples, at.channels = channels, at.height = height, at.width = width;
    std::tie(at.kernel_height, at.kernel_width) = kernel;
    std::tie(at.stride_down, at.stride_across) = stride;
    std::tie(at.top, at.bottom) = padding.first;
    std::tie(at.left, at.right) = padding.second;
    constexpr Index most = Index{1} << 31;
    for (Index number : {at.kernel_height, at.kernel_width, at.stride_down, at.stride_across})
        if (number < 1 || number > most) throw nb::value_error("kernel and stride must be 1 or more");
    for (Index number : {at.top, at.bottom, at.left, at.right})
        if (number < 0 || number > most) throw nb::value_error("padding must be 0 or more");
    for (Index number : {samples, channels, height, width})
        if (number < 0 || number > most) throw nb::value_error("an image's axes must have 0 to 2^31 numbers");
    const Index down = height + at.top + at.bottom - at.kernel_height;
    const Index across = width + at.left + at.right - at.kernel_width;
    if (down < 0 || across < 0) throw nb::value_error("the kernel is larger than the padded image");
    at.out_height = down / at.stride_down + 1;
    at.out_width = across / at.stride_across + 1;
    product({samples, channels, height + at.top + at.bottom, width + at.left + at.right});
    product({samples, channels, at.out_height, at.out_width});
    product({samples, channels, at.kernel_height, at.kernel_width, at.out_height, at.out_width});
    return at;
}

// A window of pooling must meet the image.
void expect_pooling(const Windows& at) {
    if (at.top >= at.kernel_height || at.bottom >= at.kernel_height || at.left >= at.kernel_width ||
        at.right >= at.kernel_width)
        throw nb::value_error("padding must be smaller than the pooling window");
    if (at.area() > 256) throw nb::next_overload();  // a place would not fit into a byte
}

void expect_groups(Index channels, Index filters, Index groups) {
    if (groups < 1 || channels % groups || filters % groups)
        throw nb::value_error("groups must divide channels and filters");
}

using Four = std::array<Index, 4>;

template <class Array>
Four shape_of(const Array& array, const char* what) {
    expect_axes(array, 4, what);
    return {length(array, 0), length(array, 1), length(array, 2), length(array, 3)};
}

// Where a convolution of x by W reads, after their shapes are checked.
Windows convolution(const Four& x, const Four& W, Pair stride, const Padding& padding, Index groups) {
    expect_groups(x[1], W[0], groups);
    if (W[1] != x[1] / groups)
        throw nb::value_error(("W has shape " + name({W[0], W[1], W[2], W[3]}) + ", expected " +
                               name({W[0], x[1] / groups, W[2], W[3]})).c_str());
    const Windows at = windows(x[0], x[1], x[2], x[3], {W[2], W[3]}, stride, padding);
    product({W[0], at.height + at.top + at.bottom, at.width + at.left + at.right});
    product({at.samples, W[0], W[1], W[2], W[3], at.out_height, at.out_width});
    product({at.samples, W[0], x[1], W[2], W[3], at.out_height, at.out_width});
    return at;
}

template <class Array, class Places>
void expect_pooled(const Array& dy, const Array& y, const Places& place, const Windows& at, Index filters) {
    const std::initializer_list<Index> shape = {at.samples, filters, at.out_height / 2, at.out_width / 2};
    expect(dy, shape, "dy"), expect(y, shape, "y"), expect(place, shape, "place");
    constexpr Index most = Index{1} << 30;  // places in a padded image are counted in 32 bits
    if ((at.height + at.top + at.bottom) * (at.width + at.left + at.right) >= most / std::max<Index>(at.channels, 1))
        throw nb::next_overload();
}

template <class Array>
std::vector<typename Array::Scalar*> pointers(const std::vector<Array>& arrays) {
    std::vector<typename Array::Scalar*> result;
    for (const Array& array : arrays) result.push_back(array.data());
    return result;
}

// Of the sizes of a matrix product; places in a row are counted in 32 bits.
void expect_product(Index N, Index D, Index H) {
    product({N, D, H});
    if (std::max({N, D, H}) > Index{1} << 30) throw nb::next_overload();
}

// A chain of Affine layers after its shapes are checked.
template <class X, class W, class B>
Chain chain(const X& x, const std::vector<W>& weights, const std::vector<B>& biases, const char* what) {
    expect_axes(x, 2, "x");
    if (weights.empty() || weights.size() != biases.size()) throw nb::value_error("each W needs a b, and at least one");
    Chain at{length(x, 0), {length(x, 1)}};
    for (std::size_t k = 0; k < weights.size(); ++k) {
        expect_axes(weights[k], 2, "W");
        expect(weights[k], {at.widths[k], length(weights[k], 1)}, "W");
        expect(biases[k], {length(weights[k], 1)}, what);
        at.widths.push_back(length(weights[k], 1));
        expect_product(at.samples, at.widths[k], at.widths[k + 1]);
    }
    return at;
}

template <class T, class S, class Forward, class Gradients>
void bind_chain(nb::module_& m, Forward forward, Gradients gradients) {
    const auto exactly = nb::arg().noconvert();
    m.def("chain_forward", [forward](
        In<S> x, double factor, const std::vector<In<T>>& weights, const std::vector<In<T>>& biases) {
        const Chain at = chain(x, weights, biases, "b");
        std::vector<Out<T>> outputs;
        std::vector<T*> y;
        for (std::size_t k = 1; k < at.widths.size(); ++k) {
            Fresh<T> output({at.samples, at.widths[k]});
            outputs.push_back(output.array);
            y.push_back(output.data);
        }
        const auto W = pointers(weights), b = pointers(biases);
        {
            Free free;
            forward(x.data(), static_cast<T>(factor), W.data(), b.data(), y.data(), at);
        }
        return outputs;
    }, exactly, nb::arg(), exactly, exactly);
    m.def("add_chain_gradients", [gradients](
        In<S> x, double factor, const std::vector<In<T>>& outputs, In<T> dy, const std::vector<In<T>>& weights,
        const std::vector<InPlace<T>>& weight_gradients, const std::vector<InPlace<T>>& bias_gradients,
        bool input_gradient) -> std::optional<Out<T>> {
        const Chain at = chain(x, weights, bias_gradients, "db");
        chain(x, weight_gradients, bias_gradients, "db");
        const std::size_t depth = weights.size();
        if (outputs.size() != depth || weight_gradients.size() != depth)
            throw nb::value_error("each W needs an output and a gradient");
        for (std::size_t k = 0; k < depth; ++k) {
            expect(weight_gradients[k], {at.widths[k], at.widths[k + 1]}, "dW");
            expect(outputs[k], {at.samples, at.widths[k + 1]}, "y");
        }
        expect(dy, {at.samples, at.widths[depth]}, "dy");
        std::optional<Out<T>> dx;
        T* input = nullptr;
        if (input_gradient) {
            Fresh<T> fresh({at.samples, at.widths[0]});
            dx = fresh.array, input = fresh.data;
        }
        const auto y = pointers(outputs), W = pointers(weights);
        const auto dW = pointers(weight_gradients), db = pointers(bias_gradients);
        {
            Free free;
            gradients(
                x.data(), static_cast<T>(factor), y.data(), dy.data(), W.data(), dW.data(), db.data(), input, at);
        }
        return dx;
    }, exactly, nb::arg(), exactly, exactly, exactly, exactly, exactly, nb::arg());
}

// The products that read x, of numbers S: those of the weights, or singles, data beside weights in double precision.
template <class T, class S, class Forward, class Gradient>
void bind_affine(nb::module_& m, Forward forward, Gradient gradient) {
    const auto exactly = nb::arg().noconvert();
    m.def("affine_forward", [forward](In<S> x, In<T> W, In<T> b) {
        expect_axes(x, 2, "x"), expect_axes(W, 2, "W");
        const Index N = length(x, 0), D = length(x, 1), H = length(W, 1);
        expect(W, {D, H}, "W"), expect(b, {H}, "b");
        expect_product(N, D, H);
        Fresh<T> y({N, H});
        Free free;
        forward(x.data(), W.data(), b.data(), y.data, N, D, H);
        return y.array;
    }, exactly, exactly, exactly);
    m.def("add_affine_weight_gradient", [gradient](In<S> x, In<T> dy, InPlace<T> dW) {
        expect_axes(x, 2, "x"), expect_axes(dy, 2, "dy");
        const Index N = length(x, 0), D = length(x, 1), H = length(dy, 1);
        expect(dy, {N, H}, "dy"), expect(dW, {D, H}, "dW");
        expect_product(N, D, H);
        Free free;
        gradient(x.data(), dy.data(), dW.data(), false, N, D, H);
    }, exactly, exactly, exactly);
    m.def("affine_weight_gradient", [gradient](In<S> x, In<T> dy) {
        expect_axes(x, 2, "x"), expect_axes(dy, 2, "dy");
        const Index N = length(x, 0), D = length(x, 1), H = length(dy, 1);
        expect(dy, {N, H}, "dy");
        expect_product(N, D, H);
        Fresh<T> dW({D, H});
        Free free;
        gradient(x.data(), dy.data(), dW.data, true, N, D, H);
        return dW.array;
    }, exactly, exactly);
}

template <class T>
void bind(nb::module_& m) {
    const auto& kernels = chainrule::table<T>();
    const auto exactly = nb::arg().noconvert();

    bind_affine<T, T>(m, kernels.affine_forward, kernels.affine_weight_gradient);
    if constexpr (sizeof(T) > sizeof(float))
        bind_affine<T, float>(m, kernels.affine_forward_singles, kernels.affine_weight_gradient_singles);
    m.def("affine_bias_gradient", [&kernels](In<T> dy) {
        expect_axes(dy, 2, "dy");
        Fresh<T> db({length(dy, 1)});
        Free free;
        kernels.affine_bias_gradient(dy.data(), db.data, length(dy, 0), length(dy, 1));
        return db.array;
    }, exactly);
    m.def("affine_input_gradient", [&kernels](In<T> dy, In<T> W) {
        expect_axes(dy, 2, "dy"), expect_axes(W, 2, "W");
        const Index N = length(dy, 0), D = length(W, 0), H = length(W, 1);
        expect(dy, {N, H}, "dy");
        expect_product(N, D, H);
        Fresh<T> dx({N, D});
        Free free;
        kernels.affine_input_gradient(dy.data(), W.data(), dx.data, N, D, H);
        return dx.array;
    }, exactly, exactly);

    bind_chain<T, T>(m, kernels.chain_forward, kernels.add_chain_gradients);
    bind_chain<T, std::uint8_t>(m, kernels.chain_forward_bytes, kernels.add_chain_gradients_bytes);

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
    }, exactly, exactly, exactly.none(), nb::arg(), nb::arg(), nb::arg());
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
    }, exactly, exactly, exactly.none(), nb::arg(), nb::arg(), nb::arg());
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

    m.def("batch_norm_forward", [&kernels](In<T> x, In<T> gamma, In<T> beta, double epsilon) {
        expect_axes(x, 3, "x");
        const Index N = length(x, 0), C = length(x, 1), S = length(x, 2);
        expect(gamma, {C}, "gamma"), expect(beta, {C}, "beta");
        if (N * S == 0) throw nb::next_overload();
        Fresh<T> y({N, C, S}), mean({C}), variance({C});
        {
            Free free;
            kernels.batch_norm_forward(
                x.data(), gamma.data(), beta.data(), static_cast<T>(epsilon), y.data, mean.data, variance.data, N, C, S);
        }
        return std::make_tuple(y.array, mean.array, variance.array);
    }, exactly, exactly, exactly, nb::arg());
    m.def("batch_norm_backward", [&kernels](In<T> dy, In<T> x, In<T> gamma, In<T> mean, In<T> inverse_std) {
        expect_axes(x, 3, "x");
        const Index N = length(x, 0), C = length(x, 1), S = length(x, 2);
        expect(dy, {N, C, S}, "dy"), expect(gamma, {C}, "gamma");
        expect(mean, {C}, "mean"), expect(inverse_std, {C}, "inverse_std");
        Fresh<T> dx({N, C, S}), dgamma({C}), dbeta({C});
        {
            Free free;
            kernels.batch_norm_backward(
                dy.data(), x.data(), gamma.data(), mean.data(), inverse_std.data(), dx.data, dgamma.data, dbeta.data, N,
                C, S);
        }
        return std::make_tuple(dx.array, dgamma.array, dbeta.array);
    }, exactly, exactly, exactly, exactly, exactly);
    m.def("batch_norm_inference", [&kernels](In<T> x, In<T> gamma, In<T> beta, In<T> mean, In<T> inverse_std) {
        expect_axes(x, 3, "x");
        const Index N = length(x, 0), C = length(x, 1), S = length(x, 2);
        expect(gamma, {C}, "gamma"), expect(beta, {C}, "beta");
        expect(mean, {C}, "mean"), expect(inverse_std, {C}, "inverse_std");
        Fresh<T> y({N, C, S});
        Free free;
        kernels.batch_norm_inference(
            x.data(), gamma.data(), beta.data(), mean.data(), inverse_std.data(), y.data, N, C, S);
        return y.array;
    }, exactly, exactly, exactly, exactly, exactly);

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
    const auto one_by_one = [&m, exactly](const char* forward, const char* backward, const auto& kernel) {
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
    m.def("layer_norm_forward", [&kernels](In<T> x, In<T> gamma, In<T> beta, double epsilon) {
        expect_axes(x, 2, "x");
        const Index M = length(x, 0), D = length(x, 1);
        expect(gamma, {D}, "gamma"), expect(beta, {D}, "beta");
        if (D == 0) throw nb::next_overload();
        Fresh<T> y({M, D}), mean({M}), inverse_std({M});
        {
            Free free;
            kernels.layer_norm_forward(
                x.data(), gamma.data(), beta.data(), static_cast<T>(epsilon), y.data, mean.data, inverse_std.data, M, D);
        }
        return std::make_tuple(y.array, mean.array, inverse_std.array);
    }, exactly, exactly, exactly, nb::arg());
    m.def("layer_norm_backward", [&kernels](In<T> dy, In<T> x, In<T> gamma, In<T> mean, In<T> inverse_std) {
        expect_axes(x, 2, "x");
        const Index M = length(x, 0), D = length(x, 1);
        expect(dy, {M, D}, "dy"), expect(gamma, {D}, "gamma");
        expect(mean, {M}, "mean"), expect(inverse_std, {M}, "inverse_std");
        if (D == 0) throw nb::next_overload();
        Fresh<T> dx({M, D}), dgamma({D}), dbeta({D});
        {
            Free free;
            kernels.layer_norm_backward(
                dy.data(), x.data(), gamma.data(), mean.data(), inverse_std.data(), dx.data, dgamma.data, dbeta.data, M, D);
        }
        return std::make_tuple(dx.array, dgamma.array, dbeta.array);
    }, exactly, exactly, exactly, exactly, exactly);

    m.def("dropout", [&kernels](In<T> x, In<bool> keep, double rate) {
        if (name(x) != name(keep)) throw nb::next_overload();
        auto y = Fresh<T>::like(x);
        Free free;
        kernels.dropout(
            x.data(), reinterpret_cast<const std::uint8_t*>(keep.data()), static_cast<T>(1 - rate), y.data,
            static_cast<Index>(x.size()));
        return y.array;
    }, exactly, exactly, nb::arg());

    const auto wanted = [](nb::handle dtype) {  // NumPy's own numbers of float32 and float64
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

    const auto cross_entropy = [&kernels](const In<T>& logits, const auto& labels) {
        expect_axes(logits, 2, "logits");
        const Index N = length(logits, 0), C = length(logits, 1);
        expect(labels, {N}, "labels");
        std::vector<Index> classes(static_cast<std::size_t>(N));
        for (Index n = 0; n < N; ++n) {
            classes[static_cast<std::size_t>(n)] = static_cast<Index>(labels.data()[n]);
            if (classes[static_cast<std::size_t>(n)] < 0 || classes[static_cast<std::size_t>(n)] >= C)
                throw nb::value_error("a label is outside the classes");
        }
        Fresh<T> dlogits({N, C});
        double loss;
        {
            Free free;
            loss = kernels.softmax_cross_entropy(logits.data(), classes.data(), dlogits.data, N, C);
        }
        return std::make_pair(loss, dlogits.array);
    };
    m.def("softmax_cross_entropy", [cross_entropy](In<T> logits, In<std::int64_t> labels) {
        return cross_entropy(logits, labels);
    }, exactly, exactly);
    m.def("softmax_cross_entropy", [cross_entropy](In<T> logits, In<std::uint8_t> labels) {
        return cross_entropy(logits, labels);
    }, exactly, exactly);

    const auto count_right = [](const In<T>& logits, const auto& labels) {
        expect_axes(logits, 2, "logits");
        const Index N = length(logits, 0), C = length(logits, 1);
        expect(labels, {N}, "labels");
        if (C == 0) throw nb::next_overload();
        Index right = 0;
        for (Index n = 0; n < N; ++n) {
            const T* z = logits.data() + n * C;
            const Index label = static_cast<Index>(labels.data()[n]);
            if (label < 0 || label >= C) continue;
            const T own = z[label];
            int best = 1;  // as argmax has it: the first of equals, and NaN before all; without branches
            for (Index c = 0; c < label; ++c) best &= static_cast<int>(z[c] < own) | ((own != own) & (z[c] == z[c]));
            for (Index c = label + 1; c < C; ++c) best &= static_cast<int>(z[c] <= own) | (own != own);
            right += best;
        }
        return right;
    };
    m.def("count_right", [count_right](In<T> logits, In<std::int64_t> labels) {
        return count_right(logits, labels);
    }, exactly, exactly);
    m.def("count_right", [count_right](In<T> logits, In<std::uint8_t> labels) {
        return count_right(logits, labels);
    }, exactly, exactly);

    m.def("sgd_update", [&kernels](
        InPlace<T> values, InPlace<T> gradients, std::optional<InPlace<T>> velocity, double rate, double momentum,
        bool nesterov) {
        expect_axes(values, 1, "values");
        const Index size = length(values, 0);
        expect(gradients, {size}, "gradients");
        if (velocity) expect(*velocity, {size}, "velocity");
        T* moved = velocity ? velocity->data() : nullptr;
        Free free;
        kernels.sgd_update(
            values.data(), gradients.data(), moved, static_cast<T>(rate), static_cast<T>(momentum), nesterov, size);
    }, exactly, exactly, exactly.none(), nb::arg(), nb::arg(), nb::arg());
    m.def("adagrad_update", [&kernels](
        InPlace<T> values, InPlace<T> gradients, InPlace<T> square, double rate, double epsilon) {
        expect_axes(values, 1, "values");
        const Index size = length(values, 0);
        expect(gradients, {size}, "gradients"), expect(square, {size}, "square");
        Free free;
        kernels.adagrad_update(
            values.data(), gradients.data(), square.data(), static_cast<T>(rate), static_cast<T>(epsilon), size);
    }, exactly, exactly, exactly, nb::arg(), nb::arg());
    m.def("rmsprop_update", [&kernels](
        InPlace<T> values, InPlace<T> gradients, InPlace<T> square, double rate, double decay, double epsilon) {
        expect_axes(values, 1, "values");
        const Index size = length(values, 0);
        expect(gradients, {size}, "gradients"), expect(square, {size}, "square");
        Free free;
        kernels.rmsprop_update(
            values.data(), gradients.data(), square.data(), static_cast<T>(rate), static_cast<T>(decay),
            static_cast<T>(epsilon), size);
    }, exactly, exactly, exactly, nb::arg(), nb::arg(), nb::arg());
    m.def("adam_update", [&kernels](
        InPlace<T> values, InPlace<T> gradients, InPlace<T> mean, InPlace<T> square, double rate, double beta1,
        double beta2, double epsilon, Index step) {
        expect_axes(values, 1, "values");
        const Index size = length(values, 0);
        expect(gradients, {size}, "gradients"), expect(mean, {size}, "mean"), expect(square, {size}, "square");
        Free free;
        kernels.adam_update(
            values.data(), gradients.data(), mean.data(), square.data(), static_cast<T>(rate), static_cast<T>(beta1),
            static_cast<T>(beta2), static_cast<T>(epsilon), static_cast<T>(1 - std::pow(beta1, step)),
            static_cast<T>(1 - std::pow(beta2, step)), size);
    }, exactly, exactly, exactly, exactly, nb::arg(), nb::arg(), nb::arg(), nb::arg(), nb::arg());
    m.def("decay_update", [&kernels](InPlace<T> values, double factor) {
        Free free;
        kernels.decay_update(values.data(), static_cast<T>(factor), static_cast<Index>(values.size()));
    }, exactly, nb::arg());
    m.def("average_update", [&kernels](InPlace<T> average, In<T> values, double decay) {
        if (name(average) != name(values)) throw nb::next_overload();
        Free free;
        kernels.average_update(average.data(), values.data(), static_cast<T>(decay), static_cast<Index>(values.size()));
    }, exactly, exactly, nb::arg());
}

}  // namespace

NB_MODULE(_native, m) {
    m.doc() = "The hot operations in C++; chainrule.kernels.native is the way in.";
    bind<float>(m);
    bind<double>(m);
    const auto exactly = nb::arg().noconvert();
    m.def("take_rows", [](
        nb::ndarray<const std::uint8_t, nb::c_contig, nb::device::cpu> rows,
        nb::ndarray<const std::int64_t, nb::ndim<1>, nb::c_contig, nb::device::cpu> chosen) {
        expect_axes_or_more(rows, 1);
        const Index count = length(rows, 0), N = length(chosen, 0);
        for (Index n = 0; n < N; ++n)
            if (chosen.data()[n] < 0 || chosen.data()[n] >= count) throw nb::index_error("a chosen row is not there");
        std::vector<std::size_t> shape(rows.ndim());
        Index size = 1;
        for (std::size_t axis = 0; axis < rows.ndim(); ++axis) {
            shape[axis] = axis == 0 ? static_cast<std::size_t>(N) : rows.shape(axis);
            if (axis > 0) size *= length(rows, axis);
        }
        Fresh<std::uint8_t> taken(shape);
        Free free;
        chainrule::table<float>().take_rows(rows.data(), chosen.data(), taken.data, N, size);
        return taken.array;
    }, exactly, exactly);
    m.def("distort_images", [](
        In<std::uint8_t> x, In<float> maps, In<float> controls, In<float> rows, In<float> columns, In<float> thickness,
        In<float> blur) {
        const Four shape = shape_of(x, "x");
        const auto [N, C, H, W] = shape;
        expect_axes(controls, 4, "controls");
        const Index G = length(controls, 2);
        expect(maps, {N, 2, 3}, "maps"), expect(controls, {N, 2, G, G}, "controls");
        expect(rows, {H, G}, "rows"), expect(columns, {W, G}, "columns");
        expect(thickness, {N}, "thickness"), expect(blur, {N}, "blur");
        product({N, C, H + 4, W + 4}), product({G, G + 1, W});
        if (std::max(H, W) > Index{1} << 20) throw nb::next_overload();  // places are counted in single precision
        Fresh<std::uint8_t> y({N, C, H, W});
        Free free;
        chainrule::table<float>().distort_images(
            x.data(), maps.data(), controls.data(), rows.data(), columns.data(), thickness.data(), blur.data(), y.data, N, C,
            H, W, G);
        return y.array;
    }, exactly, exactly, exactly, exactly, exactly, exactly, exactly);
    for (nb::handle kernel : nb::list(m.attr("__dict__").attr("keys")()))
        if (const std::string name = nb::cast<const char*>(kernel); name.rfind("__", 0) != 0)
            m.def(name.c_str(), [](chainrule::Unsuited, nb::args, nb::kwargs) { return nb::borrow(Py_NotImplemented); });
    m.def("instruction_set", &chainrule::instruction_set);
    m.def("work_alone", &chainrule::work_alone);
    m.def("thread_count", &chainrule::thread_count);
    m.def("kept_bytes", &chainrule::kept_bytes);
}
