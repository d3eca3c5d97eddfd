// Choice of the instruction set, for Highway's dispatch and for oneDNN.
#include "kernels/isa.h"

#include <oneapi/dnnl/dnnl.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <cstdlib>

#include "base/error.h"
#include "hwy/targets.h"

namespace witan::kernels {
namespace {

struct IsaEntry {
  Isa isa;
  std::string_view name;
  std::int64_t target;  // Highway's bit; 0: whatever the compiler may assume
  dnnl_cpu_isa_t dnnl;
};

#if HWY_ARCH_X86
constexpr std::array<IsaEntry, 4> kEntries{{{Isa::kScalar, "scalar", 0, dnnl_cpu_isa_sse41},
                                            {Isa::kSse4, "sse4", HWY_SSE4, dnnl_cpu_isa_sse41},
                                            {Isa::kAvx2, "avx2", HWY_AVX2, dnnl_cpu_isa_avx2},
                                            {Isa::kAvx512, "avx512", HWY_AVX3, dnnl_cpu_isa_avx512_core}}};
#else
constexpr std::array<IsaEntry, 1> kEntries{{{Isa::kScalar, "scalar", 0, dnnl_cpu_isa_all}}};
#endif

const IsaEntry& entry(Isa isa) {
  for (const IsaEntry& candidate : kEntries) {
    if (candidate.isa == isa) return candidate;
  }
  fail("WITAN_ISA: {} is not an instruction set of this architecture", isa_name(isa));
}

// What the processor has, asked before set_isa hides any of it.
std::int64_t machine_targets() {
  static const std::int64_t targets = hwy::SupportedTargets();
  return targets;
}

bool runs_here(const IsaEntry& candidate) {
  return candidate.target == 0 || (machine_targets() & candidate.target) != 0;
}

std::atomic<Isa> active{Isa::kScalar};

// Highway takes the best of the targets it believes supported.
void restrict_highway(const IsaEntry& chosen) {
  std::int64_t targets = HWY_STATIC_TARGET;
  for (const IsaEntry& candidate : kEntries) {
    if (candidate.isa <= chosen.isa) targets |= candidate.target;
  }
  hwy::SetSupportedTargetsForTest(targets);
  active = chosen.isa;
}

bool apply_once() {
  const char* name = std::getenv("WITAN_ISA");
  if (name == nullptr || *name == '\0') {
    active = supported_isas().back();
    return true;
  }
  const IsaEntry& chosen = entry(parse_isa(name));
  if (!runs_here(chosen)) fail("WITAN_ISA: this processor cannot run {}", chosen.name);
  restrict_highway(chosen);
  dnnl_set_max_cpu_isa(chosen.dnnl);
  return true;
}

}  // namespace

std::string_view isa_name(Isa isa) {
  switch (isa) {
    case Isa::kScalar:
      return "scalar";
    case Isa::kSse4:
      return "sse4";
    case Isa::kAvx2:
      return "avx2";
    case Isa::kAvx512:
      return "avx512";
  }
  WITAN_ASSERT(false);
  return {};
}

Isa parse_isa(std::string_view name) {
  for (const IsaEntry& candidate : kEntries) {
    if (candidate.name == name) return candidate.isa;
  }
  fail("WITAN_ISA: unknown instruction set '{}', expected scalar, sse4, avx2 or avx512", name);
}

std::vector<Isa> supported_isas() {
  std::vector<Isa> isas;
  for (const IsaEntry& candidate : kEntries) {
    if (runs_here(candidate)) isas.push_back(candidate.isa);
  }
  return isas;
}

Isa active_isa() {
  apply_isa_of_environment();
  return active;
}

void set_isa(Isa isa) {
  apply_isa_of_environment();
  const IsaEntry& chosen = entry(isa);
  if (!runs_here(chosen)) fail("set_isa: this processor cannot run {}", chosen.name);
  restrict_highway(chosen);
}

void apply_isa_of_environment() {
  static const bool applied = apply_once();
  static_cast<void>(applied);
}

}  // namespace witan::kernels
