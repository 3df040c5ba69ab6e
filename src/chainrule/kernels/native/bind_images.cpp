// Binding of images.hpp.
#include "bindings.hpp"

namespace chainrule::bindings {

void bind_images(nb::module_& m) {
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
        if (std::max(H, W) > Index{1} << 20) throw nb::next_overload();  // positions are counted in single precision
        Fresh<std::uint8_t> y({N, C, H, W});
        Free free;
        table<float>().distort_images(
            x.data(), maps.data(), controls.data(), rows.data(), columns.data(), thickness.data(), blur.data(), y.data, N, C,
            H, W, G);
        return y.array;
    }, exactly, exactly, exactly, exactly, exactly, exactly, exactly);
}

}  // namespace chainrule::bindings
