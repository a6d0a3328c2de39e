// The solvers for any CPU of the target.
#define TUNDISH_WIDTH 4
#include "make_table.h"

namespace tundish {

extern constinit const SolverTable portable_solvers = make_table<portable_kernels>();

}  // namespace tundish
