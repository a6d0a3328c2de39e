// The register tile: chains of fused multiply-adds that stay in registers while they go on over packed panels.
#pragma once

#include "vector.h"

namespace {

constexpr size_t kTileRows = TUNDISH_TILE_ROWS;
constexpr size_t kTileColumns = 2 * kWidth;

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

}  // namespace
