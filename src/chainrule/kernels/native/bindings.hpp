// Shared by the bindings: types of arguments, new arrays, and the checks of shapes before a kernel sees a pointer.
//
// A kernel takes the arguments of its namesake in kernels/reference. Arrays are float32 or float64, all of one dtype, dense.
// For other arguments the answer is NotImplemented (module.cpp), and the caller (native.py) converts them or uses the
// reference. Shapes that do not fit raise ValueError. Kernels run without Python's lock.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/array.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <array>
#include <initializer_list>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "memory.hpp"
#include "table.hpp"

namespace chainrule::bindings {

namespace nb = nanobind;

template <class T>
using In = nb::ndarray<const T, nb::c_contig, nb::device::cpu>;
template <class T>
using InPlace = nb::ndarray<T, nb::c_contig, nb::device::cpu>;
template <class T>
using Out = nb::ndarray<nb::numpy, T>;
using Pair = std::pair<Index, Index>;
using Padding = std::pair<Pair, Pair>;
using Free = nb::gil_scoped_release;
using Four = std::array<Index, 4>;

// An argument taken without conversion; the same, or None.
inline const auto exactly = nb::arg().noconvert();
inline const auto exactly_or_none = nb::arg().noconvert().none();

// The product of sizes, each of which counts as at least 1.
//
// It is refused if 64-bit numbers might not hold values computed from it: no memory holds such an array, and so much work
// would never end.
inline Index product(std::initializer_list<Index> sizes) {
    constexpr Index most = Index{1} << 56;
    Index result = 1;
    for (Index size : sizes) {
        if (size < 0) throw nb::value_error("a size is below 0");
        if (size > 0 && result > most / size) throw nb::value_error("these sizes are too large: their product is above 2^56");
        result *= std::max<Index>(size, 1);
    }
    return result;
}

// A new array in memory that returns to our pool when the array is dropped.
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
        data = static_cast<T*>(take_buffer(size * sizeof(T)));
        nb::capsule owner(data, [](void* buffer) noexcept { give_buffer(buffer); });
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

inline std::string name(std::initializer_list<Index> shape) {
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

// Where windows lie on images, after their numbers are checked.
inline Windows windows(
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

// A pooling window must overlap the image.
inline void expect_pooling(const Windows& at) {
    if (at.top >= at.kernel_height || at.bottom >= at.kernel_height || at.left >= at.kernel_width ||
        at.right >= at.kernel_width)
        throw nb::value_error("padding must be smaller than the pooling window");
    if (at.area() > 256) throw nb::next_overload();  // a position would not fit into a byte
}

inline void expect_groups(Index channels, Index filters, Index groups) {
    if (groups < 1 || channels % groups || filters % groups)
        throw nb::value_error("groups must divide channels and filters");
}

template <class Array>
Four shape_of(const Array& array, const char* what) {
    expect_axes(array, 4, what);
    return {length(array, 0), length(array, 1), length(array, 2), length(array, 3)};
}

// Where a convolution of x by W reads, after the shapes are checked.
inline Windows convolution(const Four& x, const Four& W, Pair stride, const Padding& padding, Index groups) {
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

// The sizes of a matrix product; positions in a row are counted in 32 bits.
inline void expect_product(Index N, Index D, Index H) {
    product({N, D, H});
    if (std::max({N, D, H}) > Index{1} << 30) throw nb::next_overload();
}

// One function per subject, in bind_<subject>.cpp: it adds the subject's kernels to the module.
void bind_affine(nb::module_& m);
void bind_chain(nb::module_& m);
void bind_conv(nb::module_& m);
void bind_conv_relu_pool(nb::module_& m);
void bind_pool(nb::module_& m);
void bind_norm(nb::module_& m);
void bind_elementwise(nb::module_& m);
void bind_recurrent(nb::module_& m);
void bind_attention(nb::module_& m);
void bind_losses(nb::module_& m);
void bind_updates(nb::module_& m);
void bind_descent(nb::module_& m);
void bind_batches(nb::module_& m);
void bind_images(nb::module_& m);

}  // namespace chainrule::bindings
