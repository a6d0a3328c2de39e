// Whole matrix products for callers in C++: the tile kernel of a variant, run over threads.
#pragma once

#include <cstddef>

#include "workspace.h"

namespace tundish {

// Computes the wanted elements of product.out; their bits do not depend on the variant or on the number of threads.
void multiply(const Workspace& workspace, const MatrixProduct& product);

// The same for one product. Throws std::bad_alloc.
void multiply(const KernelTable& table, const MatrixProduct& product, size_t threads);

// Elements from the operands and the result of one product to those of the next.
struct BlockSteps {
  size_t a;
  size_t b;
  size_t out;
};

// `blocks` products of one shape: `first`, and those behind it.
void multiply_blocks(const KernelTable& table, const MatrixProduct& first, size_t blocks, const BlockSteps& steps, size_t threads);

}  // namespace tundish
