// Asks the CPU and the operating system once which variants can run.
#include "variants.h"

namespace tundish {

static std::vector<const KernelTable*> detect() {
  std::vector<const KernelTable*> found;
#if defined(__x86_64__)
  __builtin_cpu_init();
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  if (avx512 && __builtin_cpu_supports("avx512vnni")) found.push_back(&avx512vnni_kernels);
  if (avx512) found.push_back(&avx512_kernels);
  if (avx2) found.push_back(&avx2_kernels);
#endif
  found.push_back(&portable_kernels);
  return found;
}

const std::vector<const KernelTable*>& variants() {
  static const std::vector<const KernelTable*> found = detect();
  return found;
}

const KernelTable* find_variant(const std::string& isa) {
  for (const KernelTable* table : variants()) {
    if (isa == table->isa) return table;
  }
  return nullptr;
}

}  // namespace tundish
