// The solvers for x86-64 with AVX2 and FMA.
#define TUNDISH_WIDTH 8
#include "make_table.h"

namespace tundish {

extern constinit const SolverTable avx2_solvers = make_table<avx2_kernels>();

}  // namespace tundish
