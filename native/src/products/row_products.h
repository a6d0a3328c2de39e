// The products row by row, for the variants without dot products of bytes. Internal linkage, as everything that is
// compiled once for each instruction set.
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
  const size_t padded = (columns + kGroup - 1) / kGroup * kGroup;
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

// Sum of bytes times int8; at most kMaxColumns of them.
[[maybe_unused]] int32_t dot(const uint8_t* a, const int8_t* w, size_t count) {
  int32_t sum = 0;
  for (size_t k = 0; k < count; k++) sum += static_cast<int32_t>(static_cast<int16_t>(a[k])) * static_cast<int32_t>(static_cast<int16_t>(w[k]));
  return sum;
}

[[maybe_unused]] void multiply(const Planes& a, const Operand& w, size_t from, size_t count, double* sums, double* weight_sums, int8_t* panel) {
  for (size_t i = 0; i < count; i++) {
    expand(w, from + i, a.stride, panel);
    int32_t total = 0;
    for (size_t k = 0; k < a.stride; k++) total += panel[k];
    weight_sums[i] = total;
    for (size_t m = 0; m < a.rows; m++) {
      const int32_t high = dot(a.high + m * a.stride, panel, a.stride);
      const int32_t low = dot(a.low + m * a.stride, panel, a.stride);
      sums[m * kPanelRows + i] = static_cast<double>(high) * 256 + low;
    }
  }
}

}  // namespace
