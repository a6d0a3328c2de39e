// The kernels for x86-64 with AVX2 and FMA.
#define TUNDISH_WIDTH 8
#define TUNDISH_TILE_ROWS 6
#include "make_table.h"

namespace tundish {

extern constinit const KernelTable avx2_kernels = make_table("avx2", "avx2");

}  // namespace tundish
