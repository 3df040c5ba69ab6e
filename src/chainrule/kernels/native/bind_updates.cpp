// Bindings of updates.hpp.
#include <cmath>

#include "bindings.hpp"

namespace chainrule::bindings {
namespace {

template <class T>
void bind(nb::module_& m) {
    const auto& kernels = table<T>();
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
    }, exactly, exactly, exactly_or_none, nb::arg(), nb::arg(), nb::arg());
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

void bind_updates(nb::module_& m) {
    bind<float>(m);
    bind<double>(m);
}

}  // namespace chainrule::bindings
