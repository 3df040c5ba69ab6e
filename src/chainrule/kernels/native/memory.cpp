// Pools of buffers by size: one that all threads share, for results, and one for each thread, for scratch memory.
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

// Before every buffer, within its alignment.
struct Header {
    std::size_t size;
};

// Sizes in steps of an eighth of their power of two: at most an eighth is wasted, and there are few different sizes.
std::size_t rounded(std::size_t bytes) {
    std::size_t step = kAlign;
    while (step * 16 < bytes) step *= 2;
    return (bytes + step - 1) / step * step;
}

void* block_of(void* buffer) { return static_cast<char*>(buffer) - kAlign; }

void* from_system(std::size_t size) {
    void* block = std::aligned_alloc(kAlign, size + kAlign);
    if (block == nullptr) throw std::bad_alloc();
    new (block) Header{size};
    return static_cast<char*>(block) + kAlign;
}

void to_system(void* buffer) { std::free(block_of(buffer)); }

// Free buffers, by size. When it is full, those of the size that was not used for the longest time make room.
class Shelf {
public:
    explicit Shelf(std::size_t most) : most_(most) {}
    ~Shelf() {
        for (auto& [size, stack] : stacks_)
            for (void* buffer : stack.buffers) to_system(buffer);
    }
    Shelf(const Shelf&) = delete;
    Shelf& operator=(const Shelf&) = delete;

    void* take(std::size_t size) {  // null if there is none
        auto found = stacks_.find(size);
        if (found == stacks_.end() || found->second.buffers.empty()) return nullptr;
        found->second.last_use = ++uses_;
        return pop(size, found->second);
    }

    bool give(void* buffer) noexcept {
        const std::size_t size = static_cast<Header*>(block_of(buffer))->size;
        if (size > most_) return false;
        while (kept_ + size > most_) drop_oldest();
        try {
            Stack& stack = stacks_[size];
            stack.buffers.push_back(buffer);
            stack.last_use = ++uses_;
        } catch (const std::bad_alloc&) {
            return false;  // no room to record it
        }
        kept_ += size;
        return true;
    }

    std::size_t kept() const { return kept_; }

private:
    struct Stack {
        std::vector<void*> buffers;
        std::uint64_t last_use = 0;
    };

    void* pop(std::size_t size, Stack& stack) noexcept {
        void* buffer = stack.buffers.back();
        stack.buffers.pop_back();
        kept_ -= size;
        return buffer;
    }

    // Frees one buffer; there is one, since something is kept.
    void drop_oldest() noexcept {
        auto oldest = stacks_.end();
        for (auto i = stacks_.begin(); i != stacks_.end(); ++i)
            if (!i->second.buffers.empty() && (oldest == stacks_.end() || i->second.last_use < oldest->second.last_use))
                oldest = i;
        to_system(pop(oldest->first, oldest->second));
    }

    std::map<std::size_t, Stack> stacks_;
    std::uint64_t uses_ = 0;
    std::size_t most_, kept_ = 0;
};

std::mutex mutex;

Shelf& shared() {
    static auto* shelf = new Shelf(kMostKept);  // outlives every array
    return *shelf;
}

// A thread's own pool, for memory that it takes and gives back itself, and that stays in its core's cache.
Shelf& own() {
    thread_local Shelf shelf(kMostKept / 8);
    return shelf;
}

#if defined(__unix__) || defined(__APPLE__)
// A fork waits until nobody uses the pool, so that parent and child both find it in order.
const int registered = pthread_atfork([] { mutex.lock(); }, [] { mutex.unlock(); }, [] { mutex.unlock(); });
#endif

}  // namespace

void* take_buffer(std::size_t bytes) {
    const std::size_t size = rounded(bytes ? bytes : 1);
    {
        std::lock_guard<std::mutex> lock(mutex);
        if (void* buffer = shared().take(size)) return buffer;
    }
    return from_system(size);
}

void give_buffer(void* buffer) noexcept {
    {
        std::lock_guard<std::mutex> lock(mutex);
        if (shared().give(buffer)) return;
    }
    to_system(buffer);
}

void* take_scratch(std::size_t bytes) {
    const std::size_t size = rounded(bytes ? bytes : 1);
    void* buffer = own().take(size);
    return buffer ? buffer : from_system(size);
}

void give_scratch(void* buffer) noexcept {
    if (!own().give(buffer)) to_system(buffer);
}

std::size_t kept_bytes() {
    std::lock_guard<std::mutex> lock(mutex);
    return shared().kept();
}

}  // namespace chainrule
