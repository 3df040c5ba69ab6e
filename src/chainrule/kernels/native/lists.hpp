// Lists whose code belongs to one instruction set.
#pragma once

#include <memory>
#include <vector>

#include "simd.hpp"

namespace chainrule::CHAINRULE_ISA {
namespace {

// Memory of a list. Standard-library code for a type of this namespace belongs to this instruction set; code for a type
// that all of them know would be shared, and might use instructions that the processor lacks.
template <class T>
struct Own {
    using value_type = T;
    Own() = default;
    template <class S>
    Own(const Own<S>&) {}
    T* allocate(std::size_t count) { return std::allocator<T>().allocate(count); }
    void deallocate(T* memory, std::size_t count) { std::allocator<T>().deallocate(memory, count); }
    bool operator==(const Own&) const { return true; }
    bool operator!=(const Own&) const { return false; }
};
template <class T>
using List = std::vector<T, Own<T>>;

// 0, step, 2 step, ...
List<Index> every(Index count, Index step) {
    List<Index> offsets(static_cast<std::size_t>(count));
    for (Index i = 0; i < count; ++i) offsets[static_cast<std::size_t>(i)] = i * step;
    return offsets;
}

}  // namespace
}  // namespace chainrule::CHAINRULE_ISA
