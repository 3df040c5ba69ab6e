// Which instruction set runs: the best one of this processor, determined once.
#include <cstdlib>
#include <cstring>

#ifdef CHAINRULE_X86
#include <cpuid.h>
#endif

#include "table.hpp"

namespace chainrule {

#define CHAINRULE_DECLARE(isa)            \
    namespace isa {                       \
    extern const Table<float> singles;    \
    extern const Table<double> doubles;   \
    }
CHAINRULE_DECLARE(baseline)
#ifdef CHAINRULE_X86
CHAINRULE_DECLARE(avx2)
CHAINRULE_DECLARE(avx512)
#endif

namespace {

struct Choice {
    const Table<float>* singles;
    const Table<double>* doubles;
    const char* name;
};

#ifdef CHAINRULE_X86
struct Processor {
    bool avx2, avx512;
};

// CPUID says what the processor can do, XCR0 which registers the system saves (Intel Software Developer Manual, volume 1,
// sections 14.3 and 15.2). __builtin_cpu_supports would say the same, but asks the run-time library of the compiler, and
// Zig's denies everything.
Processor processor() {
    constexpr unsigned fma = 1u << 12, saves = 1u << 27;                              // leaf 1, ECX
    constexpr unsigned avx2 = 1u << 5;                                                // leaf 7, EBX
    constexpr unsigned avx512 = 1u << 16 | 1u << 17 | 1u << 30 | 1u << 31;            // F, DQ, BW, VL
    constexpr unsigned ymm = 1u << 1 | 1u << 2, zmm = ymm | 1u << 5 | 1u << 6 | 1u << 7;  // XCR0
    unsigned a, b, c, d, seven, xcr0, high;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & saves) || !(c & fma)) return {false, false};
    if (!__get_cpuid_count(7, 0, &a, &seven, &c, &d)) return {false, false};
    __asm__("xgetbv" : "=a"(xcr0), "=d"(high) : "c"(0));
    return {(seven & avx2) && (xcr0 & ymm) == ymm, (seven & avx512) == avx512 && (xcr0 & zmm) == zmm};
}
#endif

Choice choose() {
#ifdef CHAINRULE_X86
    // CHAINRULE_INSTRUCTIONS limits it, so that one machine can test every version
    const char* most = std::getenv("CHAINRULE_INSTRUCTIONS");
    const bool any = most == nullptr || std::strcmp(most, "avx512") == 0;
    const Processor can = processor();
    if (any && can.avx512) return {&avx512::singles, &avx512::doubles, "AVX-512"};
    if ((any || std::strcmp(most, "avx2") == 0) && can.avx2) return {&avx2::singles, &avx2::doubles, "AVX2"};
    return {&baseline::singles, &baseline::doubles, "SSE2"};
#elif defined(__ARM_NEON)
    return {&baseline::singles, &baseline::doubles, "NEON"};  // every ARM64 processor has it
#else
    return {&baseline::singles, &baseline::doubles, "plain"};
#endif
}

const Choice& choice() {
    static const Choice chosen = choose();
    return chosen;
}

}  // namespace

template <>
const Table<float>& table<float>() {
    return *choice().singles;
}
template <>
const Table<double>& table<double>() {
    return *choice().doubles;
}
const char* instruction_set() { return choice().name; }

}  // namespace chainrule
