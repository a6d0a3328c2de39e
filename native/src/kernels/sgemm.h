// Matrix product with packed panels and a register tile (the blocking of Goto and van de Geijn, 2008). The sum over k is
// cut into slices only for the caches: a slice goes on from the stored fp32 value, so every element stays one chain.
#pragma once

#include "panels.h"
#include "table.h"

namespace {

using tundish::MatrixProduct;
using tundish::Tile;

constexpr size_t kTileRows = TUNDISH_TILE_ROWS;
constexpr size_t kTileColumns = 2 * kWidth;
constexpr size_t kDepth = 512;
constexpr size_t kBlockRows = kTileRows * 20;
constexpr size_t kBlockColumns = 1024;
// The last panel of a is followed by what its packing may overwrite.
constexpr size_t kScratch = kDepth * (kBlockColumns + kBlockRows) + kWidth;

inline size_t smaller(size_t a, size_t b) { return a < b ? a : b; }

// Rows [row, row + rows) x depth [k, k + depth) -> panels of kTileRows rows.
void pack_a(const MatrixProduct& product, size_t row, size_t rows, size_t k, size_t depth, float* panels) {
  const float sign = product.subtract ? -1.0f : 1.0f;
  if (product.transpose_a) return pack_columns<kTileRows>(product.a + k * product.lda + row, product.lda, rows, depth, sign, panels);
  for (size_t i = 0; i < rows; i += kTileRows) {
    pack_rows<kTileRows>(product.a + (row + i) * product.lda + k, product.lda, smaller(kTileRows, rows - i), depth, sign, panels + i * depth);
  }
}

// Columns [column, column + columns) x depth [k, k + depth) -> panels of kTileColumns columns.
void pack_b(const MatrixProduct& product, size_t column, size_t columns, size_t k, size_t depth, float* panels) {
  if (!product.transpose_b) return pack_columns<kTileColumns>(product.b + k * product.ldb + column, product.ldb, columns, depth, 1.0f, panels);
  for (size_t j = 0; j < columns; j += kTileColumns) {
    const float* from = product.b + (column + j) * product.ldb + k;
    const size_t left = smaller(kWidth, columns - j), right = smaller(kWidth, columns - j - left);
    pack_rows<kTileColumns>(from, product.ldb, left, depth, 1.0f, panels + j * depth);
    pack_rows<kTileColumns>(from + left * product.ldb, product.ldb, right, depth, 1.0f, panels + j * depth + kWidth);
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
  // The next tile lies below: what it starts from is under way while this one is computed.
  for (size_t i = kTileRows; i < 2 * kTileRows; i++) {
    __builtin_prefetch(out + i * stride, 1);
    __builtin_prefetch(out + i * stride + kTileColumns - 1, 1);
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
