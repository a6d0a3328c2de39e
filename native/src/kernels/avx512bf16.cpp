// The kernels for x86-64 with AVX-512 F, BW, DQ, VL and BF16, which only the products of bfloat16 use.
#define TUNDISH_WIDTH 16
#define TUNDISH_TILE_ROWS 12
#include "make_table.h"

namespace tundish {

extern constinit const KernelTable avx512bf16_kernels = make_table("avx512bf16", "avx512");

}  // namespace tundish
