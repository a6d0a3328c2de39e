// The kernels for any CPU of the target.
#define TUNDISH_WIDTH 4
#define TUNDISH_TILE_ROWS 4
#include "make_table.h"

namespace tundish {

extern constinit const KernelTable portable_kernels = make_table("portable", "portable");

}  // namespace tundish
