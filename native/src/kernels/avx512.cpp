// The kernels for x86-64 with AVX-512 F, BW, DQ and VL.
#define TUNDISH_WIDTH 16
#define TUNDISH_TILE_ROWS 12
#include "make_table.h"

namespace tundish {

extern constinit const KernelTable avx512_kernels = make_table("avx512", "avx512");

}  // namespace tundish
