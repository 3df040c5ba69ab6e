// Bindings of norm.hpp.
#include "bindings.hpp"

namespace chainrule::bindings {
namespace {

template <class T>
void bind(nb::module_& m) {
    const auto& kernels = table<T>();
    m.def("batch_norm_forward", [&kernels](In<T> x, In<T> gamma, In<T> beta, double epsilon, bool relu) {
        expect_axes(x, 3, "x");
        const Index N = length(x, 0), C = length(x, 1), S = length(x, 2);
        expect(gamma, {C}, "gamma"), expect(beta, {C}, "beta");
        if (N * S == 0) throw nb::next_overload();
        Fresh<T> y({N, C, S}), mean({C}), variance({C});
        {
            Free free;
            kernels.batch_norm_forward(
                x.data(), gamma.data(), beta.data(), static_cast<T>(epsilon), relu, y.data, mean.data, variance.data, N, C,
                S);
        }
        return std::make_tuple(y.array, mean.array, variance.array);
    }, exactly, exactly, exactly, nb::arg(), nb::arg());
    m.def("batch_norm_backward", [&kernels](
        In<T> dy, In<T> x, std::optional<In<T>> y, In<T> gamma, In<T> mean, In<T> inverse_std) {
        expect_axes(x, 3, "x");
        const Index N = length(x, 0), C = length(x, 1), S = length(x, 2);
        expect(dy, {N, C, S}, "dy"), expect(gamma, {C}, "gamma");
        expect(mean, {C}, "mean"), expect(inverse_std, {C}, "inverse_std");
        if (y) expect(*y, {N, C, S}, "y");
        const T* after_relu = y ? y->data() : nullptr;
        Fresh<T> dx({N, C, S}), dgamma({C}), dbeta({C});
        {
            Free free;
            kernels.batch_norm_backward(
                dy.data(), x.data(), after_relu, gamma.data(), mean.data(), inverse_std.data(), dx.data, dgamma.data,
                dbeta.data, N, C, S);
        }
        return std::make_tuple(dx.array, dgamma.array, dbeta.array);
    }, exactly, exactly, exactly_or_none, exactly, exactly, exactly);
    m.def("batch_norm_inference", [&kernels](
        In<T> x, In<T> gamma, In<T> beta, In<T> mean, In<T> inverse_std, bool relu) {
        expect_axes(x, 3, "x");
        const Index N = length(x, 0), C = length(x, 1), S = length(x, 2);
        expect(gamma, {C}, "gamma"), expect(beta, {C}, "beta");
        expect(mean, {C}, "mean"), expect(inverse_std, {C}, "inverse_std");
        Fresh<T> y({N, C, S});
        Free free;
        kernels.batch_norm_inference(
            x.data(), gamma.data(), beta.data(), mean.data(), inverse_std.data(), relu, y.data, N, C, S);
        return y.array;
    }, exactly, exactly, exactly, exactly, exactly, nb::arg());
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
}

}  // namespace

void bind_norm(nb::module_& m) {
    bind<float>(m);
    bind<double>(m);
}

}  // namespace chainrule::bindings
