// Products for any CPU of the target.
#include "finish.h"
#include "row_products.h"

namespace {

// Sum of bytes times int8; at most kMaxColumns of them.
int32_t dot(const uint8_t* a, const int8_t* w, size_t count) {
  int32_t sum = 0;
  for (size_t k = 0; k < count; k++) sum += static_cast<int32_t>(static_cast<int16_t>(a[k])) * static_cast<int32_t>(static_cast<int16_t>(w[k]));
  return sum;
}

void multiply(const Planes& a, const Operand& w, size_t from, size_t count, double* sums, double* weight_sums, int8_t* panel) {
  for (size_t i = 0; i < count; i++) {
    expand(w, from + i, a.stride, panel);
    int32_t total = 0;
    for (size_t k = 0; k < a.stride; k++) total += panel[k];
    weight_sums[i] = total;
    for (size_t m = 0; m < a.rows; m++) {
      const int32_t high = dot(a.high + m * a.stride, panel, a.stride);
      const int32_t low = dot(a.low + m * a.stride, panel, a.stride);
      sums[m * kPanelRows + i] = static_cast<double>(high) * 256 + low;
    }
  }
}

}  // namespace

namespace tundish {

extern constinit const ProductTable portable_products = {"portable", split, multiply, finish, finish_truncated};

}  // namespace tundish
