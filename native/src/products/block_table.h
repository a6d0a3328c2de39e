// Products of the sixteen 4-bit codes with the integer of a block.
#pragma once

#include <cstdint>

namespace {

struct BlockTable {
  // [pair][32]: 16 products for the first block of a pair, then 16 for the second; pair = (first - 1) * 16 + second - 1.
  alignas(64) int8_t products[256][32];
};

constexpr BlockTable make_block_table() {
  BlockTable table{};
  for (int first = 0; first < 16; first++) {
    for (int second = 0; second < 16; second++) {
      for (int code = 0; code < 16; code++) {
        table.products[first * 16 + second][code] = static_cast<int8_t>((code - 8) * (first + 1));
        table.products[first * 16 + second][16 + code] = static_cast<int8_t>((code - 8) * (second + 1));
      }
    }
  }
  return table;
}

constexpr BlockTable kBlockTable = make_block_table();

}  // namespace
