#include "threads.hpp"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdlib>
#include <exception>
#include <mutex>
#include <new>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
#endif
#if defined(__linux__)
#include <sched.h>

#include <fstream>
#endif

namespace chainrule {
namespace {

void relax() {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
}

// Cores of this machine that this process may use, without counting two hardware threads of one core twice.
int physical_cores() {
#if defined(__linux__)
    cpu_set_t allowed;
    if (sched_getaffinity(0, sizeof allowed, &allowed) == 0) {
        std::set<std::string> cores;
        for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
            if (!CPU_ISSET(cpu, &allowed)) continue;
            std::ifstream file("/sys/devices/system/cpu/cpu" + std::to_string(cpu) + "/topology/thread_siblings_list");
            std::string siblings;
            if (!(file >> siblings)) siblings = std::to_string(cpu);
            cores.insert(siblings);
        }
        if (!cores.empty()) return static_cast<int>(cores.size());
    }
#endif
    return std::max(1u, std::thread::hardware_concurrency());
}

int chosen_count() {
    if (const char* text = std::getenv("CHAINRULE_NUM_THREADS")) {
        const int number = std::atoi(text);
        if (number >= 1) return std::min(number, 256);
    }
    return physical_cores();
}

// The members beyond the caller. A member waits a short while without sleeping, because the next kernel of a training
// step comes within microseconds; after that it sleeps and costs nothing.
class Team {
public:
    explicit Team(int members) {
        try {
            for (int part = 1; part < members; ++part) threads_.emplace_back([this, part] { serve(part); });
        } catch (const std::exception&) {  // no memory for a list, or the system gives no more threads
            is_whole_ = false;  // those that are there sleep on
        }
    }

    bool is_whole() const { return is_whole_; }

    // What a part throws is thrown here after every part has ended; of several the first.
    void run(const std::function<void(int, int)>& work) {
        const int parts = static_cast<int>(threads_.size()) + 1;
        work_ = &work;
        pending_.store(parts - 1, std::memory_order_relaxed);
        {
            std::lock_guard<std::mutex> lock(mutex_);
            round_.fetch_add(1, std::memory_order_release);
        }
        if (asleep_.load(std::memory_order_acquire) > 0) wake_.notify_all();
        attempt(work, 0, parts);
        for (int spins = 0; pending_.load(std::memory_order_acquire) > 0; ++spins) {
            if (spins < 20000) {
                relax();
            } else {
                std::this_thread::yield();
            }
        }
        if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
    }

private:
    void attempt(const std::function<void(int, int)>& work, int part, int parts) {
        try {
            work(part, parts);
        } catch (...) {
            std::lock_guard<std::mutex> lock(mutex_);
            if (!failure_) failure_ = std::current_exception();
        }
    }

    void serve(int part) {
        const int parts = thread_count();
        std::uint64_t seen = 0;
        for (;;) {
            for (int spins = 0; round_.load(std::memory_order_acquire) == seen && spins < 4000; ++spins) relax();
            if (round_.load(std::memory_order_acquire) == seen) {
                std::unique_lock<std::mutex> lock(mutex_);
                asleep_.fetch_add(1, std::memory_order_acq_rel);
                wake_.wait(lock, [&] { return round_.load(std::memory_order_acquire) != seen; });
                asleep_.fetch_sub(1, std::memory_order_acq_rel);
            }
            seen = round_.load(std::memory_order_acquire);
            attempt(*work_, part, parts);
            pending_.fetch_sub(1, std::memory_order_acq_rel);
        }
    }

    std::vector<std::thread> threads_;
    std::mutex mutex_;
    std::condition_variable wake_;
    std::atomic<std::uint64_t> round_{0};
    std::atomic<int> pending_{0}, asleep_{0};
    const std::function<void(int, int)>* work_ = nullptr;
    std::exception_ptr failure_;  // of this round
    bool is_whole_ = true;
};

thread_local bool alone = false;
std::mutex in_use;
Team* team = nullptr;

#if defined(__unix__) || defined(__APPLE__)
// A forked child has none of the parent's threads: it forgets the team and makes its own when it needs one.
void forget_team() {
    team = nullptr;
    new (&in_use) std::mutex;
}
const int registered = pthread_atfork(nullptr, nullptr, forget_team);
#endif

}  // namespace

int thread_count() {
    static const int count = chosen_count();
    return count;
}

void divide(const std::function<void(int, int)>& work) {
    const int parts = thread_count();
    if (parts > 1 && !alone && in_use.try_lock()) {
        std::lock_guard<std::mutex> lock(in_use, std::adopt_lock);
        if (team == nullptr) team = new Team(parts);  // lives as long as the process
        if (team->is_whole()) {
            team->run(work);
            return;
        }
    }
    for (int part = 0; part < parts; ++part) work(part, parts);
}

void work_alone() { alone = true; }

void divide_if(bool worth_it, const std::function<void(int, int)>& work) {
    if (worth_it) {
        divide(work);
    } else {
        work(0, 1);
    }
}

Stretch stretch(Index size, int part, int parts, Index block) {
    const Index blocks = (size + block - 1) / block;
    return {std::min(size, blocks * part / parts * block), std::min(size, blocks * (part + 1) / parts * block)};
}

}  // namespace chainrule
