// The kernels for x86-64 with AVX-512 F, BW, DQ, VL and VNNI, which only the products of integers use.
#define TUNDISH_WIDTH 16
#define TUNDISH_TILE_ROWS 12
#include "make_table.h"

namespace tundish {

extern constinit const KernelTable avx512vnni_kernels = make_table("avx512vnni", "avx512");

}  // namespace tundish
