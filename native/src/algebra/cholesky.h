// The Cholesky factor of a symmetric positive definite matrix of any size.
#pragma once

#include "workspace.h"

namespace tundish {

// In place, lower triangle of a [n, n] <- L with L * Lᵀ = a; elements above the diagonal are overwritten with anything.
//   l[i][j] = (a[i][j] - sum over p < j of l[i][p] * l[j][p]) / l[j][j], a chain of fused multiply-adds over ascending p,
// with a square root in place of the quotient on the diagonal. Returns n, or the index of the first pivot that is not
// positive and finite; then the contents are unspecified.
size_t factor_cholesky(const Workspace& workspace, float* a, size_t lda, size_t n);

}  // namespace tundish
