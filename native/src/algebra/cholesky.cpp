// Halves the matrix until a kernel can factor it; the chains of the second half go on where the first half ends.
#include "cholesky.h"

#include "multiply.h"
#include "solve.h"

namespace tundish {

size_t factor_cholesky(const Workspace& workspace, float* a, size_t lda, size_t n) {
  const KernelTable& table = workspace.table();
  if (n <= table.factor_limit) return table.factor_triangle(a, lda, n);
  const size_t unit = n > table.solve_limit ? table.solve_limit : table.factor_limit;
  const size_t half = (n / 2 + unit - 1) / unit * unit, rest = n - half;
  const size_t pivot = factor_cholesky(workspace, a, lda, half);
  if (pivot < half) return pivot;
  float *below = a + half * lda, *corner = below + half;
  solve_lower(workspace, {a, lda, below, lda, half, false}, rest);
  multiply(workspace, {.a = below, .b = below, .out = corner, .m = rest, .n = rest, .k = half, .lda = lda, .ldb = lda, .ldo = lda,
                       .transpose_b = true, .accumulate = true, .chain = Chain::kDifference, .part = Part::kLower});
  return half + factor_cholesky(workspace, corner, lda, rest);
}

}  // namespace tundish
