// One team of threads owns the cores: it divides a kernel's work into as many fixed parts as it has members.
#pragma once

#include <cstdint>
#include <functional>

namespace chainrule {

using Index = std::int64_t;

int thread_count();

// Shares of sums that are added up in their order: as many whoever computes them, so that a result has the same bytes on any
// number of threads.
constexpr int kShares = 4;

// Call work(part, parts) once for each part, on as many threads as run; returns when all are done. There are as many parts as
// threads, or as asked for, and they are the same whoever does them: a member that does not run has its part done by another,
// and of two callers that meet the second does all its parts alone.
void divide(int parts, const std::function<void(int part, int parts)>& work);
void divide(const std::function<void(int part, int parts)>& work);

// From now on the calling thread leaves the others to those who wait for them: it does all parts itself.
void work_alone();

// The stretch [first, last) of `size` items, in blocks of `block`, that is this part's.
struct Stretch {
    Index first, last;
};
Stretch stretch(Index size, int part, int parts, Index block = 1);

// As `divide`, or in one part where there is too little work to wake others up for.
void divide_if(bool worth_it, const std::function<void(int part, int parts)>& work);

}  // namespace chainrule
