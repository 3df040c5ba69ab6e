// Bindings of descent.hpp.
#include "bindings.hpp"

namespace chainrule::bindings {
namespace {

template <class T>
void bind(nb::module_& m) {
    const auto& kernels = table<T>();
    m.def("sgd_product_update", [&kernels](
        InPlace<T> values, InPlace<T> gradients, std::optional<InPlace<T>> velocity, In<T> x, In<T> dy, double rate,
        double momentum, bool nesterov) {
        expect_axes(values, 2, "values"), expect_axes(x, 2, "x");
        const Index N = length(x, 0), D = length(values, 0), H = length(values, 1);
        expect_product(N, D, H);
        expect(gradients, {D, H}, "gradients"), expect(x, {N, D}, "x"), expect(dy, {N, H}, "dy");
        if (velocity) expect(*velocity, {D, H}, "velocity");
        T* moved = velocity ? velocity->data() : nullptr;
        Free free;
        kernels.sgd_product_update(
            values.data(), gradients.data(), moved, x.data(), dy.data(), static_cast<T>(rate), static_cast<T>(momentum),
            nesterov, N, D, H);
    }, exactly, exactly, exactly_or_none, exactly, exactly, nb::arg(), nb::arg(), nb::arg());
}

}  // namespace

void bind_descent(nb::module_& m) {
    bind<float>(m);
    bind<double>(m);
}

}  // namespace chainrule::bindings
