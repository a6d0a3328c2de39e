// Planes and rows as the variants without dot products of bytes read them. Internal linkage, as everything that is compiled
// once for each instruction set.
#pragma once

#include <cstring>

#include "block_table.h"
#include "product.h"

namespace {

using tundish::Form;
using tundish::Operand;
using tundish::Planes;
using tundish::kGroup;
using tundish::kPanelRows;

uint64_t split(const uint16_t* codes, size_t columns, bool paired, uint8_t* high, uint8_t* low) {
  const size_t padded = tundish::padded_to_groups(columns);
  std::memset(high, 0, padded);
  std::memset(low, 0, padded);
  uint64_t sum = 0;
  for (size_t k = 0; k < columns; k++) {
    const size_t inside = k % kGroup;
    const size_t place = paired ? k - inside + (inside % 2) * (kGroup / 2) + inside / 2 : k;
    high[place] = static_cast<uint8_t>(codes[k] >> 8);
    low[place] = static_cast<uint8_t>(codes[k]);
    sum += codes[k];
  }
  return sum;
}

// One row of the second operand as int8 in the order of the planes, padded with zeros.
void expand(const Operand& w, size_t row, size_t padded, int8_t* out) {
  std::memset(out, 0, padded);
  if (w.form == Form::kRows) {
    std::memcpy(out, w.codes + row * w.columns, w.columns);
    return;
  }
  if (w.form == Form::kColumns) {
    for (size_t k = 0; k < w.columns; k++) out[k] = static_cast<int8_t>(w.codes[k * w.rows + row] - 128);
    return;
  }
  const uint8_t* nibbles = w.codes + row * (w.columns / 2);
  const uint8_t* scales = w.block_scale + row * (w.columns / w.block);
  for (size_t k = 0; k < w.columns; k += 2) {
    const int8_t* products = kBlockTable.products[((scales[k / w.block] - 1) & 15) * 16];
    int8_t* group = out + k / kGroup * kGroup + k % kGroup / 2;
    group[0] = products[nibbles[k / 2] & 15];
    group[kGroup / 2] = products[nibbles[k / 2] >> 4];
  }
}

}  // namespace
