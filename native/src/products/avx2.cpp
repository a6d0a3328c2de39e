// Products for x86-64 with AVX2: the loops of the portable ones, compiled for vectors of 32 bytes.
#include "finish.h"
#include "row_products.h"

namespace tundish {

extern constinit const ProductTable avx2_products = {"avx2", split, multiply, finish};

}  // namespace tundish
