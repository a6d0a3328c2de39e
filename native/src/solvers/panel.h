// Rows of a weight as lanes: a panel [columns][kPanelRows] holds a column of all its rows in consecutive floats, so that
// every element of a result stays one chain of operations whatever the width of a vector.
#pragma once

#include "../kernels/ranges.h"
#include "table.h"

namespace {

constexpr size_t kPanelRows = 256;
// Columns that are solved one by one before the rest of the panel hears of them in one product.
constexpr size_t kSteps = 128;

inline size_t lanes_of(size_t rows) { return (rows + kWidth - 1) / kWidth * kWidth; }

inline Vector clamp_round(Vector value, float low, float high) {
  const Vector least = broadcast(low), most = broadcast(high);
  const Vector raised = value >= least ? value : least;
  const Vector clamped = raised > most ? most : raised;
  return (clamped + kRoundingMagic) - kRoundingMagic;
}

// Rows of a matrix lie far from each other, often at a power of two: a cache line of each is used up before the next.
constexpr size_t kSquare = 16;

// Calls visit(column, lane) for all columns of all lanes that hold a row.
template <typename Visit>
inline void each_in_squares(size_t columns, size_t rows, Visit visit) {
  for (size_t begin = 0; begin < columns; begin += kSquare) {
    const size_t end = begin + kSquare < columns ? begin + kSquare : columns;
    for (size_t lane = 0; lane < rows; lane++) {
      for (size_t column = begin; column < end; column++) visit(column, lane);
    }
  }
}

// Columns of `rows` rows, `stride` apart -> the panel; the lanes behind the last row are zero.
inline void gather_columns(const float* from, size_t stride, size_t columns, size_t rows, float* panel) {
  const size_t lanes = lanes_of(rows);
  each_in_squares(columns, rows, [&](size_t c, size_t lane) { panel[c * kPanelRows + lane] = from[lane * stride + c]; });
  for (size_t c = 0; c < columns && rows < lanes; c++) {
    for (size_t lane = rows; lane < lanes; lane++) panel[c * kPanelRows + lane] = 0.0f;
  }
}

inline void scatter_columns(const float* panel, size_t columns, size_t rows, float* to, size_t stride) {
  each_in_squares(columns, rows, [&](size_t c, size_t lane) { to[lane * stride + c] = panel[c * kPanelRows + lane]; });
}

// The scales of those rows, one panel row for each block; 1 behind the last row.
inline void gather_scales(const tundish::Grid& grid, size_t k, size_t row, size_t rows, float* panel) {
  const size_t blocks = k / grid.block, lanes = lanes_of(rows);
  for (size_t j = 0; j < blocks; j++) {
    for (size_t lane = 0; lane < lanes; lane++) panel[j * kPanelRows + lane] = lane < rows ? grid.scale[(row + lane) * blocks + j] : 1.0f;
  }
}

// out [m][kPanelRows] (+)= a' b over `depth` panel rows of b; a is [depth, m] with row stride k.
inline void multiply_panel(const tundish::KernelTable& kernels, const float* a, size_t k, const float* b, size_t m, size_t depth, size_t lanes, float* out, bool accumulate, float* scratch) {
  if (m == 0) return;
  const tundish::MatrixProduct product{.a = a, .b = b, .out = out, .m = m, .n = lanes, .k = depth, .lda = k, .ldb = kPanelRows, .ldo = kPanelRows, .transpose_a = true, .accumulate = accumulate};
  kernels.sgemm(product, tundish::Tile{0, m, 0, lanes}, scratch);
}

}  // namespace
