// The rows of a batch, gathered from anywhere in the data.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "simd.hpp"
#include "threads.hpp"

namespace chainrule::CHAINRULE_ISA {
namespace {

// to (N, size): the chosen rows; indices go from 0 to the number of rows minus one.
void take_rows(const std::uint8_t* from, const Index* chosen, std::uint8_t* to, Index N, Index size) {
    divide_if(N * size > 32768, [&](int part, int parts) {
        const auto [first, last] = stretch(N, part, parts);
        constexpr Index ahead = 6;  // rows lie far apart: prefetch them
        for (Index n = first; n < last; ++n) {
            if (n + ahead < last)
                for (Index i = 0; i < size; i += 64) __builtin_prefetch(from + chosen[n + ahead] * size + i);
            std::memcpy(to + n * size, from + chosen[n] * size, static_cast<std::size_t>(size));
        }
    });
}

}  // namespace
}  // namespace chainrule::CHAINRULE_ISA
