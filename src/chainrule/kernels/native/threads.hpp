// One team of threads uses the cores: it divides a kernel's work into as many fixed parts as it has members.
#pragma once

#include <cstdint>
#include <functional>

namespace chainrule {

using Index = std::int64_t;

int thread_count();

// The number of partial sums, which are added in order: the same number whoever computes them, so that a result has the same
// bytes on any number of threads.
constexpr int kShares = 4;

// Call work(part, parts) once for each part, on all threads that are running; returns when all are done. There are as many
// parts as threads, or as asked for, and they are the same whoever does them: the part of a member that is not running is
// done by another, and if two callers meet, the second does all its parts alone.
void divide(int parts, const std::function<void(int part, int parts)>& work);
void divide(const std::function<void(int part, int parts)>& work);

// From now on the calling thread leaves the others to callers that wait for them: it does all parts itself.
void work_alone();

// This part's range [first, last) of `size` items, in blocks of `block`.
struct Stretch {
    Index first, last;
};
Stretch stretch(Index size, int part, int parts, Index block = 1);

// Like `divide`, or in one part if there is too little work to wake others.
void divide_if(bool worth_it, const std::function<void(int part, int parts)>& work);

}  // namespace chainrule
