// The one place where the instruction set of our own kernels is chosen. Include it before any header of Highway, which
// then compiles each kernel for the machine's baseline, SSE4, AVX2 and AVX-512 and no more.
//
// A kernel calls WITAN_DISPATCH(Function)(arguments) where Highway's manual says HWY_DYNAMIC_DISPATCH: the same, but
// the environment variable WITAN_ISA=scalar|sse4|avx2|avx512 is honoured first.
#pragma once

#ifdef HIGHWAY_HWY_DETECT_TARGETS_H_
#error "include kernels/isa.h before Highway: it says which targets are compiled"
#endif
#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_AVX3_DL)
// What Highway compiles again for each of them: the file given to the compiler, be it one kernel's or several joined.
#define HWY_TARGET_INCLUDE __BASE_FILE__

#include <string_view>
#include <vector>

namespace witan::kernels {

enum class Isa { kScalar, kSse4, kAvx2, kAvx512 };

std::string_view isa_name(Isa isa);  // "avx2", as in WITAN_ISA
// Throws Error for an unknown name, listing the known ones.
Isa parse_isa(std::string_view name);

// What this processor can run, from the least to the best.
std::vector<Isa> supported_isas();
// What the kernels use now: the best one, unless the environment or set_isa said otherwise.
Isa active_isa();
// Changes what the kernels use from now on, for tests; oneDNN, which is told once before its first use, keeps what the
// environment said. Throws Error when the processor cannot run it. Not while kernels run.
void set_isa(Isa isa);
// Reads WITAN_ISA at the first call. Throws Error for an unknown name or one that the processor cannot run.
void apply_isa_of_environment();

}  // namespace witan::kernels

#define WITAN_DISPATCH(function) (::witan::kernels::apply_isa_of_environment(), HWY_DYNAMIC_DISPATCH(function))
