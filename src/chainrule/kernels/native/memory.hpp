// Reused memory: results of one training step become the next step's buffers, so the system is asked only once.
#pragma once

#include <cstddef>

namespace chainrule {

void* take_buffer(std::size_t bytes);  // aligned to 64 bytes; throws std::bad_alloc
void give_buffer(void* buffer) noexcept;
void* take_scratch(std::size_t bytes);  // the same from the calling thread's own pool; that thread must give it back
void give_scratch(void* buffer) noexcept;
std::size_t kept_bytes();  // in the pools, for tests

}  // namespace chainrule
