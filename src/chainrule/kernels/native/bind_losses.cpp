// Bindings of losses.hpp.
#include "bindings.hpp"

namespace chainrule::bindings {
namespace {

template <class Labels>
std::vector<Index> indices(const Labels& labels) {
    return {labels.data(), labels.data() + labels.size()};
}

// Labels are integers of type L.
template <class T, class L>
void bind_labelled(nb::module_& m) {
    const auto& kernels = table<T>();
    m.def("softmax_cross_entropy", [&kernels](In<T> logits, In<L> labels) {
        expect_axes(logits, 2, "logits");
        const Index N = length(logits, 0), C = length(logits, 1);
        expect(labels, {N}, "labels");
        const std::vector<Index> classes = indices(labels);
        for (Index label : classes)
            if (label < 0 || label >= C) throw nb::value_error("a label is outside the classes");
        Fresh<T> dlogits({N, C});
        double loss;
        {
            Free free;
            loss = kernels.softmax_cross_entropy(logits.data(), classes.data(), dlogits.data, N, C);
        }
        return std::make_pair(loss, dlogits.array);
    }, exactly, exactly);
    m.def("count_right", [&kernels](In<T> logits, In<L> labels) {
        expect_axes(logits, 2, "logits");
        const Index N = length(logits, 0), C = length(logits, 1);
        expect(labels, {N}, "labels");
        if (C == 0) throw nb::next_overload();
        const std::vector<Index> classes = indices(labels);
        Free free;
        return kernels.count_right(logits.data(), classes.data(), N, C);
    }, exactly, exactly);
}

}  // namespace

void bind_losses(nb::module_& m) {
    bind_labelled<float, std::int64_t>(m);
    bind_labelled<float, std::uint8_t>(m);
    bind_labelled<double, std::int64_t>(m);
    bind_labelled<double, std::uint8_t>(m);
}

}  // namespace chainrule::bindings
