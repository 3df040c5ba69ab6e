// Binding of batches.hpp.
#include "bindings.hpp"

namespace chainrule::bindings {

void bind_batches(nb::module_& m) {
    m.def("take_rows", [](
        In<std::uint8_t> rows,
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
        table<float>().take_rows(rows.data(), chosen.data(), taken.data, N, size);
        return taken.array;
    }, exactly, exactly);
}

}  // namespace chainrule::bindings
