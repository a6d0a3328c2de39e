// Asks the CPU and the operating system once which products can run.
#include <cstring>

#include "product.h"

namespace tundish {
namespace {

struct Found {
  const ProductTable* tables[3];
  size_t count = 0;
};

Found detect() {
  Found found;
#if defined(__x86_64__)
  __builtin_cpu_init();
  const bool avx2 = __builtin_cpu_supports("avx2");
  const bool vnni = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
                    __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512vnni");
  if (vnni) found.tables[found.count++] = &avx512vnni_products;
  if (avx2) found.tables[found.count++] = &avx2_products;
#endif
  found.tables[found.count++] = &portable_products;
  return found;
}

const Found& detected() {
  static const Found found = detect();
  return found;
}

}  // namespace

const ProductTable& best_products() { return *detected().tables[0]; }

const ProductTable* find_products(const char* isa) {
  for (size_t i = 0; i < detected().count; i++) {
    if (std::strcmp(isa, detected().tables[i]->isa) == 0) return detected().tables[i];
  }
  return nullptr;
}

}  // namespace tundish
