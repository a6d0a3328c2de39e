// The steps of learned weights for x86-64 with AVX-512 F, BW, DQ and VL.
#define TUNDISH_WIDTH 16
#include "make_table.h"

namespace tundish {

extern constinit const ReconstructionTable avx512_reconstruction = make_table("avx512");

}  // namespace tundish
