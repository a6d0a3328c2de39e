// The solvers for x86-64 with AVX-512 F, BW, DQ and VL.
#define TUNDISH_WIDTH 16
#include "make_table.h"

namespace tundish {

extern constinit const SolverTable avx512_solvers = make_table<avx512_kernels>();

}  // namespace tundish
