// Bindings of affine.hpp.
#include "bindings.hpp"

namespace chainrule::bindings {
namespace {

// The products that read x, of type S: that of the weights, or single precision with weights in double precision.
template <class T, class S, class Forward, class Gradient>
void bind_products(nb::module_& m, Forward forward, Gradient gradient) {
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
    const auto& kernels = table<T>();
    bind_products<T, T>(m, kernels.affine_forward, kernels.affine_weight_gradient);
    if constexpr (sizeof(T) > sizeof(float))
        bind_products<T, float>(m, kernels.affine_forward_singles, kernels.affine_weight_gradient_singles);
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
}

// If an index is not a row, the reference refuses it.
void expect_rows(const In<Index>& chosen, Index rows) {
    for (std::size_t i = 0; i < chosen.size(); ++i)
        if (chosen.data()[i] < 0 || chosen.data()[i] >= rows) throw nb::next_overload();
}

template <class T>
void bind_embedding(nb::module_& m) {
    const auto& kernels = table<T>();
    m.def("embedding_forward", [&kernels](In<Index> chosen, In<T> W) {
        expect_axes(W, 2, "W");
        const Index N = static_cast<Index>(chosen.size()), V = length(W, 0), D = length(W, 1);
        expect_rows(chosen, V);
        std::vector<std::size_t> shape(chosen.ndim() + 1, W.shape(1));
        for (std::size_t axis = 0; axis < chosen.ndim(); ++axis) shape[axis] = chosen.shape(axis);
        Fresh<T> y(shape);
        Free free;
        kernels.embedding_forward(chosen.data(), W.data(), y.data, N, D);
        return y.array;
    }, exactly, exactly);
    m.def("embedding_weight_gradient", [&kernels](In<Index> chosen, In<T> dy, Index entries) {
        if (dy.ndim() != chosen.ndim() + 1 || entries < 0) throw nb::next_overload();
        for (std::size_t axis = 0; axis < chosen.ndim(); ++axis)
            if (dy.shape(axis) != chosen.shape(axis)) throw nb::next_overload();
        const Index N = static_cast<Index>(chosen.size()), D = length(dy, chosen.ndim());
        expect_rows(chosen, entries);
        Fresh<T> dW({entries, D});
        Free free;
        kernels.embedding_weight_gradient(chosen.data(), dy.data(), dW.data, N, entries, D);
        return dW.array;
    }, exactly, exactly, nb::arg());
}

}  // namespace

void bind_affine(nb::module_& m) {
    bind<float>(m);
    bind<double>(m);
    bind_embedding<float>(m);
    bind_embedding<double>(m);
}

}  // namespace chainrule::bindings
