// Bindings of chain.hpp.
#include "bindings.hpp"

namespace chainrule::bindings {
namespace {

template <class Array>
std::vector<typename Array::Scalar*> pointers(const std::vector<Array>& arrays) {
    std::vector<typename Array::Scalar*> result;
    for (const Array& array : arrays) result.push_back(array.data());
    return result;
}

// A chain of Affine layers, after the shapes are checked.
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

// x of type S: that of the weights, or pixels.
template <class T, class S, class Forward, class Gradients>
void bind_both(nb::module_& m, Forward forward, Gradients gradients) {
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

template <class T>
void bind(nb::module_& m) {
    const auto& kernels = table<T>();
    bind_both<T, T>(m, kernels.chain_forward, kernels.add_chain_gradients);
    bind_both<T, std::uint8_t>(m, kernels.chain_forward_bytes, kernels.add_chain_gradients_bytes);
}

}  // namespace

void bind_chain(nb::module_& m) {
    bind<float>(m);
    bind<double>(m);
}

}  // namespace chainrule::bindings
