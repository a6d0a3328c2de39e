// Matrix product with packed panels and a register tile (the blocking of Goto and van de Geijn, 2008). The sum over k is
// cut into slices only for the caches: a slice goes on from the stored fp32 value, so every element stays one chain.
#pragma once

#include "exact_panels.h"
#include "int16_panels.h"
#include "int8_panels.h"
#include "table.h"

namespace {

using tundish::Chain;
using tundish::MatrixProduct;
using tundish::Part;
using tundish::Tile;

constexpr size_t kBlockRows = kTileRows * 20;
constexpr size_t kBlockColumns = 1024;
// Words of the longest panel in every row or column: that of a slice of 1024 steps in pairs, with the scales of its blocks.
constexpr size_t kPanelWords = Int16Panels::kSliceSteps / kBlockSteps * kBlockWords;
static_assert(ExactPanels::kSliceSteps <= kPanelWords && Int8Panels::kSliceSteps / kCodedSteps * kInt8BlockWords <= kPanelWords);
static_assert(kBlockColumns <= kLongestRow && kBlockRows <= kLongestRow);
// The last panel of a is followed by what its packing may overwrite.
constexpr size_t kScratch = kPanelWords * (kBlockColumns + kBlockRows) + kWidth;

inline bool is_descending(const MatrixProduct& product) { return product.chain == Chain::kDescendingDifference; }

// Where steps [step, step + depth) of the chains begin in a dimension of k elements.
inline size_t source_of(const MatrixProduct& product, size_t step, size_t depth) { return is_descending(product) ? product.k - step - depth : step; }

// Rows [row, row + rows) x elements [k, k + depth) -> panels of kTileRows rows.
template <typename Panels>
void pack_a(const Panels& panels, const MatrixProduct& product, size_t row, size_t rows, size_t k, size_t depth, float* to) {
  if (product.transpose_a) return panels.template pack_columns<kTileRows>(product.a + k * product.lda + row, product.lda, rows, depth, to);
  for (size_t i = 0; i < rows; i += kTileRows, to += kTileRows * Panels::length(depth)) {
    panels.template pack_rows<kTileRows>(product.a + (row + i) * product.lda + k, product.lda, smaller(kTileRows, rows - i), depth, to);
  }
}

// Columns [column, column + columns) x elements [k, k + depth) -> panels of kTileColumns columns.
template <typename Panels>
void pack_b(const Panels& panels, const MatrixProduct& product, size_t column, size_t columns, size_t k, size_t depth, float* to) {
  if (!product.transpose_b) return panels.template pack_columns<kTileColumns>(product.b + k * product.ldb + column, product.ldb, columns, depth, to);
  for (size_t j = 0; j < columns; j += kTileColumns, to += kTileColumns * Panels::length(depth)) {
    const float* from = product.b + (column + j) * product.ldb + k;
    const size_t left = smaller(kWidth, columns - j), right = smaller(kWidth, columns - j - left);
    panels.template pack_rows<kTileColumns>(from, product.ldb, left, depth, to);
    panels.template pack_rows<kTileColumns>(from + left * product.ldb, product.ldb, right, depth, to + kWidth);
  }
}

// Rows become integers of 8 bits as they are packed, and columns are codes already.
void pack_a(const Int8Panels&, const MatrixProduct& product, size_t row, size_t rows, size_t k, size_t depth, float* to) {
  for (size_t i = 0; i < rows; i += kTileRows, to += kTileRows * Int8Panels::length(depth)) {
    Int8Panels::pack_rows(product.a + (row + i) * product.lda + k, product.lda, smaller(kTileRows, rows - i), depth, to);
  }
}

void pack_b(const Int8Panels&, const MatrixProduct& product, size_t column, size_t columns, size_t k, size_t depth, float* to) {
  Int8Panels::pack_columns(*product.coded, product.k, column, columns, k, depth, to);
}

template <typename Panels>
inline void multiply_tile(const float* a, const float* b, size_t words, float* out, size_t stride, bool first) {
  Chains chain = {};
  if (!first) {
    load_chains(chain, out, stride);
    Panels::resume(chain);
  }
  // The next tile lies below: what it starts from is under way while this one is computed.
  for (size_t i = kTileRows; i < 2 * kTileRows; i++) {
    __builtin_prefetch(out + i * stride, 1);
    __builtin_prefetch(out + i * stride + kTileColumns - 1, 1);
  }
  Panels::advance(chain, a, b, words);
  store_chains(chain, out, stride);
}

// A tile at the edge of the matrix is computed in a full-size copy.
template <typename Panels>
void multiply_edge(const float* a, const float* b, size_t words, float* out, size_t stride, size_t rows, size_t columns, bool first) {
  float copy[kTileRows * kTileColumns] = {};
  for (size_t i = 0; i < rows; i++) __builtin_memcpy(copy + i * kTileColumns, out + i * stride, columns * sizeof(float));
  multiply_tile<Panels>(a, b, words, copy, kTileColumns, first);
  for (size_t i = 0; i < rows; i++) __builtin_memcpy(out + i * stride, copy + i * kTileColumns, columns * sizeof(float));
}

// Whether a tile has no element of the wanted part.
inline bool is_outside(Part part, const Tile& tile) {
  return (part == Part::kLower && tile.row_end <= tile.column_begin) || (part == Part::kUpper && tile.column_end <= tile.row_begin);
}

// All register tiles of a block whose panels are packed.
template <typename Panels>
void multiply_block(const MatrixProduct& product, const Tile& block, const float* a, const float* b, size_t words, bool first) {
  for (size_t j = block.column_begin; j < block.column_end; j += kTileColumns, b += kTileColumns * words) {
    const size_t columns = smaller(kTileColumns, block.column_end - j);
    const float* left = a;
    for (size_t i = block.row_begin; i < block.row_end; i += kTileRows, left += kTileRows * words) {
      const size_t rows = smaller(kTileRows, block.row_end - i);
      if (is_outside(product.part, {i, i + rows, j, j + columns})) continue;
      float* out = product.out + i * product.ldo + j;
      if (rows == kTileRows && columns == kTileColumns) multiply_tile<Panels>(left, b, words, out, product.ldo, first);
      else multiply_edge<Panels>(left, b, words, out, product.ldo, rows, columns, first);
    }
  }
}

// A sum of no products.
void clear(const MatrixProduct& product, const Tile& tile) {
  for (size_t row = tile.row_begin; row < tile.row_end; row++) {
    __builtin_memset(product.out + row * product.ldo + tile.column_begin, 0, (tile.column_end - tile.column_begin) * sizeof(float));
  }
}

template <typename Panels>
void multiply_panels(const MatrixProduct& product, const Tile& tile, const Panels& of_a, const Panels& of_b, float* scratch) {
  constexpr size_t kSlice = Panels::kSliceSteps;
  float *packed_b = scratch, *packed_a = scratch + kPanelWords * kBlockColumns;
  for (size_t column = tile.column_begin; column < tile.column_end; column += kBlockColumns) {
    const size_t columns = smaller(kBlockColumns, tile.column_end - column);
    for (size_t step = 0; step < product.k; step += kSlice) {
      const size_t depth = smaller(kSlice, product.k - step), k = source_of(product, step, depth);
      pack_b(of_b, product, column, columns, k, depth, packed_b);
      for (size_t row = tile.row_begin; row < tile.row_end; row += kBlockRows) {
        const Tile block{row, row + smaller(kBlockRows, tile.row_end - row), column, column + columns};
        if (is_outside(product.part, block)) continue;
        pack_a(of_a, product, row, block.row_end - row, k, depth, packed_a);
        multiply_block<Panels>(product, block, packed_a, packed_b, Panels::length(depth), step == 0 && !product.accumulate);
      }
    }
  }
}

void sgemm(const MatrixProduct& product, const Tile& tile, float* scratch) {
  if (product.k == 0 && !product.accumulate) clear(product, tile);
  if (product.chain == Chain::kInt16Sum) return multiply_panels(product, tile, Int16Panels{}, Int16Panels{}, scratch);
  if (product.chain == Chain::kInt8Sum) return multiply_panels(product, tile, Int8Panels{}, Int8Panels{}, scratch);
  const ExactPanels of_a{product.chain == Chain::kSum ? 1.0f : -1.0f, is_descending(product)}, of_b{1.0f, is_descending(product)};
  multiply_panels(product, tile, of_a, of_b, scratch);
}

}  // namespace
