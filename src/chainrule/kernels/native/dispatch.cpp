// Which instruction set runs: the best one of this processor, determined once.
#include <cstdlib>
#include <cstring>

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

Choice choose() {
#ifdef CHAINRULE_X86
    // CHAINRULE_INSTRUCTIONS limits it, so that one machine can test every version
    const char* most = std::getenv("CHAINRULE_INSTRUCTIONS");
    const bool any = most == nullptr || std::strcmp(most, "avx512") == 0;
    __builtin_cpu_init();
    if (any && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl"))
        return {&avx512::singles, &avx512::doubles, "AVX-512"};
    if ((any || std::strcmp(most, "avx2") == 0) && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return {&avx2::singles, &avx2::doubles, "AVX2"};
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
