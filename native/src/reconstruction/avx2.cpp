// The steps of learned weights for x86-64 with AVX2 and FMA.
#define TUNDISH_WIDTH 8
#include "make_table.h"

namespace tundish {

extern constinit const ReconstructionTable avx2_reconstruction = make_table("avx2");

}  // namespace tundish
