// Matrix product with packed panels and a register tile (the blocking of Goto and van de Geijn, 2008). The sum over k is
// cut into slices only for the caches: a slice goes on from the stored fp32 value, so every element stays one chain.
#pragma once

#include "table.h"
#include "vector.h"

namespace {

using tundish::MatrixProduct;
using tundish::Tile;

constexpr size_t kTileRows = TUNDISH_TILE_ROWS;
constexpr size_t kTileColumns = 2 * kWidth;
constexpr size_t kDepth = 256;
constexpr size_t kBlockRows = kTileRows * 20;
constexpr size_t kBlockColumns = 1024;
constexpr size_t kScratch = kDepth * (kBlockColumns + kBlockRows);

inline size_t smaller(size_t a, size_t b) { return a < b ? a : b; }

// Rows [row, row + rows) x depth [k, k + depth) -> panels of kTileRows rows, depth-major; missing rows are zero.
void pack_a(const MatrixProduct& product, size_t row, size_t rows, size_t k, size_t depth, float* panel) {
  const float sign = product.subtract ? -1.0f : 1.0f;
  const size_t row_step = product.transpose_a ? 1 : product.lda, depth_step = product.transpose_a ? product.lda : 1;
  for (size_t start = 0; start < rows; start += kTileRows, panel += kTileRows * depth) {
    for (size_t i = 0; i < kTileRows; i++) {
      const bool inside = start + i < rows;
      const float* from = product.a + (row + start + i) * row_step + k * depth_step;
      for (size_t p = 0; p < depth; p++) panel[p * kTileRows + i] = inside ? sign * from[p * depth_step] : 0.0f;
    }
  }
}

// Columns [column, column + columns) x depth -> panels of kTileColumns columns, depth-major; missing columns are zero.
void pack_b(const MatrixProduct& product, size_t column, size_t columns, size_t k, size_t depth, float* panel) {
  for (size_t start = 0; start < columns; start += kTileColumns, panel += kTileColumns * depth) {
    const size_t valid = smaller(kTileColumns, columns - start);
    if (valid < kTileColumns) __builtin_memset(panel, 0, kTileColumns * depth * sizeof(float));
    if (product.transpose_b) {
      for (size_t j = 0; j < valid; j++) {
        const float* from = product.b + (column + start + j) * product.ldb + k;
        for (size_t p = 0; p < depth; p++) panel[p * kTileColumns + j] = from[p];
      }
    } else {
      for (size_t p = 0; p < depth; p++) {
        __builtin_memcpy(panel + p * kTileColumns, product.b + (k + p) * product.ldb + column + start, valid * sizeof(float));
      }
    }
  }
}

// Continues kTileRows x kTileColumns chains by `depth` steps.
inline void multiply_tile(const float* __restrict a, const float* __restrict b, size_t depth, float* out, size_t stride, bool first) {
  Vector chain[kTileRows][2];
#pragma GCC unroll 16
  for (size_t i = 0; i < kTileRows; i++) {
    chain[i][0] = first ? Vector{} : load(out + i * stride);
    chain[i][1] = first ? Vector{} : load(out + i * stride + kWidth);
  }
  for (size_t p = 0; p < depth; p++) {
    const Vector left = load(b + p * kTileColumns), right = load(b + p * kTileColumns + kWidth);
#pragma GCC unroll 16
    for (size_t i = 0; i < kTileRows; i++) {
      const Vector x = broadcast(a[p * kTileRows + i]);
      chain[i][0] = fused(x, left, chain[i][0]);
      chain[i][1] = fused(x, right, chain[i][1]);
    }
  }
#pragma GCC unroll 16
  for (size_t i = 0; i < kTileRows; i++) {
    store(out + i * stride, chain[i][0]);
    store(out + i * stride + kWidth, chain[i][1]);
  }
}

// A tile at the edge of the matrix is computed in a full-size copy.
void multiply_edge(const float* a, const float* b, size_t depth, float* out, size_t stride, size_t rows, size_t columns, bool first) {
  float copy[kTileRows * kTileColumns] = {};
  for (size_t i = 0; i < rows; i++) __builtin_memcpy(copy + i * kTileColumns, out + i * stride, columns * sizeof(float));
  multiply_tile(a, b, depth, copy, kTileColumns, first);
  for (size_t i = 0; i < rows; i++) __builtin_memcpy(out + i * stride, copy + i * kTileColumns, columns * sizeof(float));
}

void multiply_block(const float* a, const float* b, size_t depth, float* out, size_t stride, size_t rows, size_t columns, bool first) {
  for (size_t j = 0; j < columns; j += kTileColumns) {
    for (size_t i = 0; i < rows; i += kTileRows) {
      float* at = out + i * stride + j;
      const float *left = a + i * depth, *right = b + j * depth;
      if (rows - i >= kTileRows && columns - j >= kTileColumns) multiply_tile(left, right, depth, at, stride, first);
      else multiply_edge(left, right, depth, at, stride, smaller(kTileRows, rows - i), smaller(kTileColumns, columns - j), first);
    }
  }
}

// A sum of no products.
void clear(const MatrixProduct& product, const Tile& tile) {
  for (size_t row = tile.row_begin; row < tile.row_end; row++) {
    __builtin_memset(product.out + row * product.ldo + tile.column_begin, 0, (tile.column_end - tile.column_begin) * sizeof(float));
  }
}

void sgemm(const MatrixProduct& product, const Tile& tile, float* scratch) {
  float *packed_b = scratch, *packed_a = scratch + kDepth * kBlockColumns;
  if (product.k == 0 && !product.accumulate) clear(product, tile);
  for (size_t column = tile.column_begin; column < tile.column_end; column += kBlockColumns) {
    const size_t columns = smaller(kBlockColumns, tile.column_end - column);
    for (size_t k = 0; k < product.k; k += kDepth) {
      const size_t depth = smaller(kDepth, product.k - k);
      pack_b(product, column, columns, k, depth, packed_b);
      for (size_t row = tile.row_begin; row < tile.row_end; row += kBlockRows) {
        const size_t rows = smaller(kBlockRows, tile.row_end - row);
        pack_a(product, row, rows, k, depth, packed_a);
        multiply_block(packed_a, packed_b, depth, product.out + row * product.ldo + column, product.ldo, rows, columns, k == 0 && !product.accumulate);
      }
    }
  }
}

}  // namespace
