// Triangular systems of any size with many right-hand sides.
#pragma once

#include "workspace.h"

namespace tundish {

// Solves all `rows` rows of system.b in place, as TriangularSystem says. The bits do not depend on the variant, the number of
// threads or other rows.
void solve_lower(const Workspace& workspace, const TriangularSystem& system, size_t rows);

}  // namespace tundish
