// Memory that comes back: results of one training step are the next step's buffers, so the system is asked only once.
#pragma once

#include <cstddef>

namespace chainrule {

void* take_buffer(std::size_t bytes);  // aligned to 64 bytes; throws std::bad_alloc
void give_buffer(void* buffer) noexcept;
void* take_scratch(std::size_t bytes);  // likewise, of the calling thread's own; it must give it back itself
void give_scratch(void* buffer) noexcept;
std::size_t kept_bytes();  // lying ready, for tests

}  // namespace chainrule
