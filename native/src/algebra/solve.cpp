// Halves a system until a kernel can solve it; what the known half contributes to the other one is a matrix product.
#include "solve.h"

#include "../parallel.h"

namespace tundish {
namespace {

// The known unknowns come first in every chain, so halving does not change the order of its steps.
void solve_rows(const KernelTable& table, const TriangularSystem& system, size_t rows, float* scratch) {
  if (system.n <= table.solve_limit) return table.solve_triangle(system, 0, rows, scratch);
  const size_t half = (system.n / 2 + table.solve_limit - 1) / table.solve_limit * table.solve_limit;
  TriangularSystem left = system, right = system;
  left.n = half;
  right.l += half * (system.ldl + 1);
  right.b += half;
  right.n -= half;
  const TriangularSystem &known = system.descending ? right : left, &other = system.descending ? left : right;
  solve_rows(table, known, rows, scratch);
  const MatrixProduct known_part{.a = known.b, .b = system.l + half * system.ldl, .out = other.b, .m = rows, .n = other.n, .k = known.n,
                                 .lda = system.ldb, .ldb = system.ldl, .ldo = system.ldb, .transpose_b = !system.descending,
                                 .accumulate = true, .chain = system.descending ? Chain::kDescendingDifference : Chain::kDifference};
  table.sgemm(known_part, {0, rows, 0, other.n}, scratch);
  solve_rows(table, other, rows, scratch);
}

}  // namespace

void solve_lower(const Workspace& workspace, const TriangularSystem& system, size_t rows) {
  const KernelTable& table = workspace.table();
  parallel(rows, table.sgemm_columns, workspace.threads(rows * system.n * system.n / 2), [&](size_t index, size_t begin, size_t end) {
    TriangularSystem part = system;
    part.b += begin * system.ldb;
    solve_rows(table, part, end - begin, workspace.scratch(index));
  });
}

}  // namespace tundish
