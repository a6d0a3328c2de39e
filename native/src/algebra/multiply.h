// Whole matrix products for callers in C++: the tile kernel of a variant, run over threads.
#pragma once

#include <cstddef>

#include "workspace.h"

namespace tundish {

// Computes the wanted elements of product.out; their bits do not depend on the variant or on the number of threads.
void multiply(const Workspace& workspace, const MatrixProduct& product);

// The same for one product. Throws std::bad_alloc.
void multiply(const KernelTable& table, const MatrixProduct& product, size_t threads);

// The diagonal blocks of a transposed a times b: `first`, then the blocks behind it in a, b and out.
void multiply_blocks(const KernelTable& table, const MatrixProduct& first, size_t blocks, size_t threads);

}  // namespace tundish
