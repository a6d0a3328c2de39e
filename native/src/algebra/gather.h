// Rows and columns of a matrix in another order.
#pragma once

#include <cstddef>
#include <cstdint>

namespace tundish {

// out [count, k]: element (r, c) is x[rows[r]][columns[c]], of row r itself without rows.
struct Gather {
  const float* x;
  const uint32_t* rows;
  const uint32_t* columns;
  size_t count;
  size_t k;
  float* out;
};

void gather(const Gather& gather, size_t threads);

}  // namespace tundish
