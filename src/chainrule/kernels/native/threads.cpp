// The team of threads: how its members wait, take parts of the work, and survive a fork.
#include "threads.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
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
#elif defined(__aarch64__)
    __asm__ __volatile__("yield");
#endif
}

// The cores that this process may use, without counting two hardware threads of one core twice.
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

using Clock = std::chrono::steady_clock;

// A member's share of a round: the next part that nobody has taken, and the end of its parts, in one number, so that taking
// a part is one exchange, which fails for a thread that still believes in an earlier round.
class Share {
public:
    void open(std::uint64_t round, std::uint64_t first, std::uint64_t end) {
        first_ = first;
        now_.store(round << 24 | first << 12 | end, std::memory_order_release);
    }

    // The next part, or -1 if none is left.
    int take(std::uint64_t round) {
        std::uint64_t now = now_.load(std::memory_order_acquire);
        while (now >> 24 == (round & kRounds) && next(now) < (now & kMost))
            if (now_.compare_exchange_weak(now, now + (1 << 12), std::memory_order_acq_rel))
                return static_cast<int>(next(now));
        return -1;
    }

    // Whether it has parts and none was taken; used by the caller.
    bool is_untouched() const {
        const std::uint64_t now = now_.load(std::memory_order_relaxed);
        return next(now) == first_ && first_ < (now & kMost);
    }

    static constexpr std::uint64_t kMost = 4095;

private:
    static constexpr std::uint64_t kRounds = ~std::uint64_t{0} >> 24;
    static std::uint64_t next(std::uint64_t now) { return now >> 12 & kMost; }

    std::atomic<std::uint64_t> now_{0};
    std::uint64_t first_ = 0;
};

// The caller and other members. Each does its own share of the parts, and then those that the others have not started: nobody
// waits for a member that is not running because another program has its core, and a wake-up that is late or lost only means
// that somebody else does its parts. Only a part that was started is waited for.
//
// Memory order, for processors with weaker ordering than x86 (ARM): round_ is stored once all shares are open, and a member
// takes parts only after it has loaded that round, so it sees the work and its data. pending_ is decremented at the end of
// each part and loaded by the caller last, so the caller sees all results. A member sets asleep and then reads round_, the
// caller stores round_ and then reads asleep: they are sequentially consistent, so at least one sees the other's write.
// Relaxed are the values that only the caller uses (round_ in run, pending_ before the round), and hints, which cost only
// time if they are late.
class Team {
public:
    explicit Team(int most) : members_(static_cast<std::size_t>(most)) {
        try {
            for (; count_ < most; ++count_) members_[count_].thread = std::thread([this, own = count_] { serve(own); });
        } catch (const std::exception&) {  // no memory, or no more threads from the system: fewer share the work
        }
    }

    // An exception from a part is thrown here after every part has ended; if there are several, the first.
    void run(const std::function<void(int, int)>& work, int parts) {
        work_ = &work;
        parts_ = parts;
        pending_.store(parts, std::memory_order_relaxed);
        const std::uint64_t round = round_.load(std::memory_order_relaxed) + 1;
        for (int own = 0; own < count_; ++own)
            members_[own].share.open(round, parts * own / count_, parts * (own + 1) / count_);
        round_.store(round, std::memory_order_seq_cst);
        const Clock::time_point start = Clock::now();
        for (int own = 1; own < count_; ++own) members_[own].wake_up(round);
        do_parts_of(0, round);
        const Clock::duration passed = Clock::now() - start;
        for (int own = 1; own < count_; ++own) {
            members_[own].note_whether_it_runs(passed);
            do_parts_of(own, round);
        }
        wait_for_the_begun();
        if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
    }

private:
    struct alignas(64) Member {
        Share share;
        std::atomic<bool> asleep{false};
        bool woken = false;  // for this round
        int missed = 0;      // rounds that it had time to start and did not, halved by each one it started
        std::mutex mutex;
        std::condition_variable wake;
        std::thread thread;

        // A wake-up costs both sides some microseconds: a member that is rarely in time is rarely woken. If the mutex is
        // taken, the member is about to sleep or to look for work, and may miss this round.
        void wake_up(std::uint64_t round) {
            woken = false;
            if (!asleep.load(std::memory_order_seq_cst)) return;
            if (missed > 3 && round % (std::uint64_t{1} << std::min(missed - 3, 6)) != 0) return;
            if (const std::unique_lock<std::mutex> lock(mutex, std::try_to_lock); lock) wake.notify_one();
            woken = true;
        }

        void note_whether_it_runs(Clock::duration time) {
            if (!share.is_untouched()) {
                missed /= 2;
            } else if (woken || time > std::chrono::microseconds(50)) {
                missed = std::min(missed + 1, 9);
            }
        }
    };

    void do_parts_of(int member, std::uint64_t round) {
        for (int part; (part = members_[member].share.take(round)) >= 0;) {
            try {
                (*work_)(part, parts_);
            } catch (...) {
                std::lock_guard<std::mutex> lock(failing_);
                if (!failure_) failure_ = std::current_exception();
            }
            pending_.fetch_sub(1, std::memory_order_acq_rel);
        }
    }

    // Spinning keeps other threads, perhaps the very one that is waited for, off this core: so only for a short time.
    void wait_for_the_begun() {
        const Clock::time_point start = Clock::now();
        while (pending_.load(std::memory_order_acquire) > 0) {
            const Clock::time_point now = Clock::now();
            if (now - start > kSlice) note_a_crowd(now);
            if (now - start < kPatience) {
                relax();
            } else {
                std::this_thread::yield();
            }
        }
    }

    // The next kernel of a training step comes within microseconds, so a member first waits a short while without sleeping.
    // If it is kept from running meanwhile, the core is shared with another program; then nobody spins.
    void spin_until_after(std::uint64_t seen) {
        const Clock::time_point start = Clock::now();
        if (start.time_since_epoch().count() < crowded_until_.load(std::memory_order_relaxed)) return;
        for (Clock::time_point before = start, now; round_.load(std::memory_order_seq_cst) == seen; before = now) {
            relax();
            now = Clock::now();
            if (now - before > kSlice) note_a_crowd(now);
            if (now - start > kPatience) return;
        }
    }

    void note_a_crowd(Clock::time_point now) {
        crowded_until_.store((now + kCrowded).time_since_epoch().count(), std::memory_order_relaxed);
    }

    void serve(int own) {
        Member& self = members_[own];
        std::uint64_t seen = 0;
        for (;;) {
            spin_until_after(seen);
            if (round_.load(std::memory_order_seq_cst) == seen) {
                std::unique_lock<std::mutex> lock(self.mutex);
                self.asleep.store(true, std::memory_order_seq_cst);
                self.wake.wait(lock, [&] { return round_.load(std::memory_order_seq_cst) != seen; });
                self.asleep.store(false, std::memory_order_relaxed);
            }
            seen = round_.load(std::memory_order_acquire);
            for (int i = 0; i < count_; ++i) do_parts_of((own + i) % count_, seen);
        }
    }

    static constexpr std::chrono::microseconds kPatience{300};
    static constexpr std::chrono::milliseconds kSlice{1};  // less than a scheduler gives another process
    static constexpr std::chrono::milliseconds kCrowded{50};

    std::vector<Member> members_;  // the caller first
    int count_ = 1;
    const std::function<void(int, int)>* work_ = nullptr;
    int parts_ = 0;
    std::atomic<std::uint64_t> round_{0};
    std::atomic<int> pending_{0};
    std::atomic<Clock::rep> crowded_until_{0};
    std::mutex failing_;
    std::exception_ptr failure_;  // of this round
};

thread_local bool alone = false;
std::mutex in_use;
Team* team = nullptr;

#if defined(__unix__) || defined(__APPLE__)
// A forked child has none of the parent's threads: it drops the team and creates its own when it needs one.
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

void divide(const std::function<void(int, int)>& work) { divide(thread_count(), work); }

void divide(int parts, const std::function<void(int, int)>& work) {
    if (parts > 1 && thread_count() > 1 && !alone && in_use.try_lock()) {
        std::lock_guard<std::mutex> lock(in_use, std::adopt_lock);
        if (team == nullptr) team = new Team(thread_count());  // lives as long as the process
        team->run(work, parts);
        return;
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
