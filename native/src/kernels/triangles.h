// Systems with a small triangular matrix, and the Cholesky factor of a small one; algebra/ composes large ones from them.
#pragma once

#include "sgemm.h"

namespace {

using tundish::TriangularSystem;

constexpr size_t kSolveLimit = 128;
constexpr size_t kFactorLimit = 32;
constexpr size_t kSolveTiles = (kSolveLimit + kTileRows - 1) / kTileRows;
constexpr size_t kPackedTriangle = kTileRows * kTileRows * kSolveTiles * (kSolveTiles + 1) / 2;
static_assert(kPackedTriangle + kSolveTiles * kTileRows * kTileColumns <= kScratch);

// Tile by tile of kTileRows unknowns: the factors -l of the steps before and within the tile, and l[j][j] on the diagonal.
// Unknowns behind the last one are those of an identity.
void pack_triangle(const TriangularSystem& system, float* panel) {
  const ptrdiff_t stride = static_cast<ptrdiff_t>(system.ldl), n = static_cast<ptrdiff_t>(system.n), rows = kTileRows;
  // Read backwards, the transposed matrix is lower triangular again.
  const float* corner = system.descending ? system.l + (n - 1) * stride + n - 1 : system.l;
  const ptrdiff_t row_step = system.descending ? -1 : stride, column_step = system.descending ? -stride : 1;
  for (ptrdiff_t start = 0; start < n; start += rows) {
    for (ptrdiff_t p = 0; p < start + rows; p++) {
      for (ptrdiff_t j = start; j < start + rows; j++) {
        const bool inside = j < n && p <= j;
        const float value = inside ? corner[j * row_step + p * column_step] : p == j ? 1.0f : 0.0f;
        *panel++ = p == j ? value : -value;
      }
    }
  }
}

// kTileColumns rows of b at once, unknowns in the order in which they become known: x [n, kTileColumns], in place.
void solve_panel(const float* triangle, size_t n, float* x) {
  for (size_t start = 0; start < n; start += kTileRows) {
    Chains chain;
    load_chains(chain, x + start * kTileColumns, kTileColumns);
    advance(chain, triangle, x, start);
    triangle += start * kTileRows;
#pragma GCC unroll 16
    for (size_t p = 0; p < kTileRows; p++, triangle += kTileRows) {
      const Vector diagonal = broadcast(triangle[p]);
      chain[p][0] /= diagonal;
      chain[p][1] /= diagonal;
#pragma GCC unroll 16
      for (size_t i = p + 1; i < kTileRows; i++) {
        const Vector factor = broadcast(triangle[i]);
        chain[i][0] = fused(factor, chain[p][0], chain[i][0]);
        chain[i][1] = fused(factor, chain[p][1], chain[i][1]);
      }
    }
    store_chains(chain, x + start * kTileColumns, kTileColumns);
  }
}

void solve_triangle(const TriangularSystem& system, size_t row_begin, size_t row_end, float* scratch) {
  float *x = scratch, *triangle = scratch + kSolveTiles * kTileRows * kTileColumns;
  pack_triangle(system, triangle);
  __builtin_memset(x, 0, kSolveTiles * kTileRows * kTileColumns * sizeof(float));
  for (size_t row = row_begin; row < row_end; row += kTileColumns) {
    float* b = system.b + row * system.ldb;
    const size_t left = smaller(kWidth, row_end - row), right = smaller(kWidth, row_end - row - left);
    pack_rows<kTileColumns>(b, system.ldb, left, system.n, 1.0f, system.descending, x);
    pack_rows<kTileColumns>(b + left * system.ldb, system.ldb, right, system.n, 1.0f, system.descending, x + kWidth);
    solve_panel(triangle, system.n, x);
    unpack_rows<kTileColumns>(x, system.n, system.descending, b, system.ldb, left);
    unpack_rows<kTileColumns>(x + kWidth, system.n, system.descending, b + left * system.ldb, system.ldb, right);
  }
}

// Works on the transposed factor, whose rows are vectors: step p takes row p from all rows below it.
size_t factor_triangle(float* a, size_t lda, size_t n) {
  alignas(64) float upper[kFactorLimit][kFactorLimit] = {};
  for (size_t i = 0; i < n; i++) {
    for (size_t j = 0; j <= i; j++) upper[j][i] = a[i * lda + j];
  }
  for (size_t p = 0; p < n; p++) {
    float* pivot_row = upper[p];
    const float pivot = pivot_row[p];
    if (!(pivot > 0.0f && pivot < __builtin_inff())) return p;
    const float root = __builtin_sqrtf(pivot);
    for (size_t i = 0; i < kFactorLimit; i++) pivot_row[i] = pivot_row[i] / root;
    pivot_row[p] = root;
    for (size_t i = p + 1; i < n; i++) {
      const Vector factor = broadcast(-pivot_row[i]);
      for (size_t j = i / kWidth * kWidth; j < kFactorLimit; j += kWidth) {
        store(upper[i] + j, fused(factor, load(pivot_row + j), load(upper[i] + j)));
      }
    }
  }
  for (size_t i = 0; i < n; i++) {
    for (size_t j = 0; j <= i; j++) a[i * lda + j] = upper[j][i];
  }
  return n;
}

}  // namespace
