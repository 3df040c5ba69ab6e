#include "memory.hpp"

#include <cstdint>
#include <cstdlib>
#include <map>
#include <mutex>
#include <new>
#include <vector>

#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
#endif

namespace chainrule {
namespace {

constexpr std::size_t kAlign = 64;
constexpr std::size_t kMostKept = std::size_t{512} << 20;

// In front of every buffer, within its alignment.
struct Header {
    std::size_t size;
};

// Sizes in steps of an eighth of their power of two: at most an eighth is wasted, and few sizes lie around.
std::size_t rounded(std::size_t bytes) {
    std::size_t step = kAlign;
    while (step * 16 < bytes) step *= 2;
    return (bytes + step - 1) / step * step;
}

std::mutex mutex;

std::map<std::size_t, std::vector<void*>>& shelf() {
    static auto* kept = new std::map<std::size_t, std::vector<void*>>;  // outlives every array
    return *kept;
}

std::size_t kept = 0;

#if defined(__unix__) || defined(__APPLE__)
// A fork waits until nobody is at the shelf, so that parent and child both find it in order.
const int registered = pthread_atfork([] { mutex.lock(); }, [] { mutex.unlock(); }, [] { mutex.unlock(); });
#endif

}  // namespace

void* take_buffer(std::size_t bytes) {
    const std::size_t size = rounded(bytes ? bytes : 1);
    {
        std::lock_guard<std::mutex> lock(mutex);
        auto found = shelf().find(size);
        if (found != shelf().end() && !found->second.empty()) {
            void* buffer = found->second.back();
            found->second.pop_back();
            kept -= size;
            return buffer;
        }
    }
    void* block = std::aligned_alloc(kAlign, size + kAlign);
    if (block == nullptr) throw std::bad_alloc();
    new (block) Header{size};
    return static_cast<char*>(block) + kAlign;
}

void give_buffer(void* buffer) noexcept {
    void* block = static_cast<char*>(buffer) - kAlign;
    const std::size_t size = static_cast<Header*>(block)->size;
    {
        std::lock_guard<std::mutex> lock(mutex);
        if (kept + size <= kMostKept) {
            try {
                shelf()[size].push_back(buffer);
                kept += size;
                return;
            } catch (const std::bad_alloc&) {
                // no room for the note that it is there: give it back to the system
            }
        }
    }
    std::free(block);
}

std::size_t kept_bytes() {
    std::lock_guard<std::mutex> lock(mutex);
    return kept;
}

}  // namespace chainrule
