// Two tables: upper and lower half of the fraction, each entry a product of roots of one half, which are square roots of square roots.
#include "exponential.h"

#include <cmath>
#include <cstddef>

namespace tundish::htp {
namespace {

constexpr int kHalfBits = kFractionBits / 2;
constexpr size_t kEntries = size_t{1} << kHalfBits;

struct Tables {
  double upper[kEntries];
  double lower[kEntries];

  Tables() {
    double roots[kFractionBits];
    double root = 0.5;
    for (double& each : roots) each = root = std::sqrt(root);
    for (size_t i = 0; i < kEntries; i++) {
      upper[i] = lower[i] = 1;
      for (int bit = 0; bit < kHalfBits; bit++) {
        if ((i >> (kHalfBits - 1 - bit) & 1) == 0) continue;
        upper[i] *= roots[bit];
        lower[i] *= roots[kHalfBits + bit];
      }
    }
  }
};

}  // namespace

double power_of_half(uint32_t fraction) {
  static const Tables tables;
  return tables.upper[fraction >> kHalfBits] * tables.lower[fraction & (kEntries - 1)];
}

}  // namespace tundish::htp
