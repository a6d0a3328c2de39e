// Matrix product with packed panels and a register tile (the blocking of Goto and van de Geijn, 2008). The sum over k is
// cut into slices only for the caches: a slice goes on from the stored fp32 value, so every element stays one chain.
#pragma once

#include "panels.h"
#include "table.h"

namespace {

using tundish::MatrixProduct;
using tundish::Part;
using tundish::Tile;

constexpr size_t kTileRows = TUNDISH_TILE_ROWS;
constexpr size_t kTileColumns = 2 * kWidth;
constexpr size_t kDepth = 512;
constexpr size_t kBlockRows = kTileRows * 20;
constexpr size_t kBlockColumns = 1024;
// The last panel of a is followed by what its packing may overwrite.
constexpr size_t kScratch = kDepth * (kBlockColumns + kBlockRows) + kWidth;

inline size_t smaller(size_t a, size_t b) { return a < b ? a : b; }

// Where steps [step, step + depth) of the chains begin in a dimension of k elements.
inline size_t source_of(const MatrixProduct& product, size_t step, size_t depth) { return product.descending ? product.k - step - depth : step; }

// Rows or columns of an operand that is stored with k as its first dimension.
template <size_t width>
inline void pack_deep(const MatrixProduct& product, const float* from, size_t stride, size_t columns, size_t depth, float sign, float* panels) {
  const ptrdiff_t step = static_cast<ptrdiff_t>(stride);
  pack_columns<width>(product.descending ? from + (depth - 1) * stride : from, product.descending ? -step : step, columns, depth, sign, panels);
}

// Rows [row, row + rows) x steps [step, step + depth) -> panels of kTileRows rows.
void pack_a(const MatrixProduct& product, size_t row, size_t rows, size_t step, size_t depth, float* panels) {
  const float sign = product.subtract ? -1.0f : 1.0f;
  const size_t k = source_of(product, step, depth);
  if (product.transpose_a) return pack_deep<kTileRows>(product, product.a + k * product.lda + row, product.lda, rows, depth, sign, panels);
  for (size_t i = 0; i < rows; i += kTileRows) {
    const float* from = product.a + (row + i) * product.lda + k;
    pack_rows<kTileRows>(from, product.lda, smaller(kTileRows, rows - i), depth, sign, product.descending, panels + i * depth);
  }
}

// Columns [column, column + columns) x steps [step, step + depth) -> panels of kTileColumns columns.
void pack_b(const MatrixProduct& product, size_t column, size_t columns, size_t step, size_t depth, float* panels) {
  const size_t k = source_of(product, step, depth);
  if (!product.transpose_b) return pack_deep<kTileColumns>(product, product.b + k * product.ldb + column, product.ldb, columns, depth, 1.0f, panels);
  for (size_t j = 0; j < columns; j += kTileColumns) {
    const float* from = product.b + (column + j) * product.ldb + k;
    const size_t left = smaller(kWidth, columns - j), right = smaller(kWidth, columns - j - left);
    pack_rows<kTileColumns>(from, product.ldb, left, depth, 1.0f, product.descending, panels + j * depth);
    pack_rows<kTileColumns>(from + left * product.ldb, product.ldb, right, depth, 1.0f, product.descending, panels + j * depth + kWidth);
  }
}

// The chains of a register tile; the unrolled loops over it keep it in registers.
typedef Vector Chains[kTileRows][2];

inline void load_chains(Chains& chain, const float* from, size_t stride) {
#pragma GCC unroll 16
  for (size_t i = 0; i < kTileRows; i++) {
    chain[i][0] = load(from + i * stride);
    chain[i][1] = load(from + i * stride + kWidth);
  }
}

inline void store_chains(const Chains& chain, float* to, size_t stride) {
#pragma GCC unroll 16
  for (size_t i = 0; i < kTileRows; i++) {
    store(to + i * stride, chain[i][0]);
    store(to + i * stride + kWidth, chain[i][1]);
  }
}

// Continues the chains by `depth` steps.
inline void advance(Chains& chain, const float* __restrict a, const float* __restrict b, size_t depth) {
  for (size_t p = 0; p < depth; p++) {
    const Vector left = load(b + p * kTileColumns), right = load(b + p * kTileColumns + kWidth);
#pragma GCC unroll 16
    for (size_t i = 0; i < kTileRows; i++) {
      const Vector x = broadcast(a[p * kTileRows + i]);
      chain[i][0] = fused(x, left, chain[i][0]);
      chain[i][1] = fused(x, right, chain[i][1]);
    }
  }
}

inline void multiply_tile(const float* a, const float* b, size_t depth, float* out, size_t stride, bool first) {
  Chains chain = {};
  if (!first) load_chains(chain, out, stride);
  // The next tile lies below: what it starts from is under way while this one is computed.
  for (size_t i = kTileRows; i < 2 * kTileRows; i++) {
    __builtin_prefetch(out + i * stride, 1);
    __builtin_prefetch(out + i * stride + kTileColumns - 1, 1);
  }
  advance(chain, a, b, depth);
  store_chains(chain, out, stride);
}

// A tile at the edge of the matrix is computed in a full-size copy.
void multiply_edge(const float* a, const float* b, size_t depth, float* out, size_t stride, size_t rows, size_t columns, bool first) {
  float copy[kTileRows * kTileColumns] = {};
  for (size_t i = 0; i < rows; i++) __builtin_memcpy(copy + i * kTileColumns, out + i * stride, columns * sizeof(float));
  multiply_tile(a, b, depth, copy, kTileColumns, first);
  for (size_t i = 0; i < rows; i++) __builtin_memcpy(out + i * stride, copy + i * kTileColumns, columns * sizeof(float));
}

// Whether a tile has no element of the wanted part.
inline bool is_outside(Part part, const Tile& tile) {
  return (part == Part::kLower && tile.row_end <= tile.column_begin) || (part == Part::kUpper && tile.column_end <= tile.row_begin);
}

// All register tiles of a block whose panels are packed.
void multiply_block(const MatrixProduct& product, const Tile& block, const float* a, const float* b, size_t depth, bool first) {
  for (size_t j = block.column_begin; j < block.column_end; j += kTileColumns, b += kTileColumns * depth) {
    const size_t columns = smaller(kTileColumns, block.column_end - j);
    const float* left = a;
    for (size_t i = block.row_begin; i < block.row_end; i += kTileRows, left += kTileRows * depth) {
      const size_t rows = smaller(kTileRows, block.row_end - i);
      if (is_outside(product.part, {i, i + rows, j, j + columns})) continue;
      float* out = product.out + i * product.ldo + j;
      if (rows == kTileRows && columns == kTileColumns) multiply_tile(left, b, depth, out, product.ldo, first);
      else multiply_edge(left, b, depth, out, product.ldo, rows, columns, first);
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
    for (size_t step = 0; step < product.k; step += kDepth) {
      const size_t depth = smaller(kDepth, product.k - step);
      pack_b(product, column, columns, step, depth, packed_b);
      for (size_t row = tile.row_begin; row < tile.row_end; row += kBlockRows) {
        const Tile block{row, row + smaller(kBlockRows, tile.row_end - row), column, column + columns};
        if (is_outside(product.part, block)) continue;
        pack_a(product, row, block.row_end - row, step, depth, packed_a);
        multiply_block(product, block, packed_a, packed_b, depth, step == 0 && !product.accumulate);
      }
    }
  }
}

}  // namespace
