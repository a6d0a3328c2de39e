// Whole matrix products for callers in C++: the tile kernel of a variant, run over threads.
#pragma once

#include <cstddef>

#include "../kernels/table.h"

namespace tundish {

// Computes every element of product.out; the bits do not depend on the variant or on `threads`. Throws std::bad_alloc.
void multiply(const KernelTable& table, const MatrixProduct& product, size_t threads);

}  // namespace tundish
