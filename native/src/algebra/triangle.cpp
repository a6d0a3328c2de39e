// Copies square by square, because the columns of a large matrix are too far apart for the caches.
#include "triangle.h"

#include <algorithm>

namespace tundish {

static constexpr size_t kSquare = 64;

void mirror_upper(float* a, size_t n) {
  for (size_t rows = 0; rows < n; rows += kSquare) {
    for (size_t columns = rows; columns < n; columns += kSquare) {
      for (size_t i = rows; i < std::min(n, rows + kSquare); i++) {
        for (size_t j = std::max(columns, i + 1); j < std::min(n, columns + kSquare); j++) a[j * n + i] = a[i * n + j];
      }
    }
  }
}

void clear_upper(float* a, size_t n) {
  for (size_t i = 0; i < n; i++) std::fill(a + i * n + i + 1, a + (i + 1) * n, 0.0f);
}

}  // namespace tundish
