// The Python module: every subject's kernels, and the answer of each to arguments that it does not support.
#include "bindings.hpp"
#include "threads.hpp"

namespace chainrule {
// Matches any argument, but only after every other overload has declined, even with conversions.
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

NB_MODULE(_native, m) {
    using namespace chainrule::bindings;
    m.doc() = "The hot operations in C++; chainrule.kernels.native is the way in.";
    bind_affine(m);
    bind_chain(m);
    bind_conv(m);
    bind_conv_relu_pool(m);
    bind_pool(m);
    bind_norm(m);
    bind_elementwise(m);
    bind_recurrent(m);
    bind_attention(m);
    bind_losses(m);
    bind_updates(m);
    bind_descent(m);
    bind_batches(m);
    bind_images(m);
    for (nb::handle kernel : nb::list(m.attr("__dict__").attr("keys")()))
        if (const std::string name = nb::cast<const char*>(kernel); name.rfind("__", 0) != 0)
            m.def(name.c_str(), [](chainrule::Unsuited, nb::args, nb::kwargs) { return nb::borrow(Py_NotImplemented); });
    m.def("instruction_set", &chainrule::instruction_set);
    m.def("work_alone", &chainrule::work_alone);
    m.def("thread_count", &chainrule::thread_count);
    m.def("kept_bytes", &chainrule::kept_bytes);
}
