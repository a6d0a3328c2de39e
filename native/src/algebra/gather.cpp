#include "gather.h"

#include "../bound_call.h"
#include "../parallel.h"

namespace tundish {

void gather(const Gather& gather, size_t threads) {
  const auto [x, rows, columns, count, k, out] = gather;
  parallel(count, row_grain(k), threads, [&](size_t, size_t begin, size_t end) {
    for (size_t r = begin; r < end; r++) {
      const float* from = x + (rows == nullptr ? r : rows[r]) * k;
      for (size_t c = 0; c < k; c++) out[r * k + c] = from[columns[c]];
    }
  });
}

}  // namespace tundish
