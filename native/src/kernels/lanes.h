// Parts of vectors, and sums in parts: the order of additions that vectors of any width can follow. The twin of the sums is
// ts/typescript/decoder/lanes.ts.
#pragma once

#include "vector.h"

namespace {

// Partial sums of a row, by column mod kLanes.
constexpr size_t kLanes = 16;

// The first `count` elements, zeros behind them.
inline Vector load_part(const float* at, size_t count) {
  float part[kWidth] = {};
  __builtin_memcpy(part, at, count * sizeof(float));
  return load(part);
}

inline void store_part(float* at, Vector value, size_t count) {
  float part[kWidth];
  store(part, value);
  __builtin_memcpy(at, part, count * sizeof(float));
}

inline Vector load_some(const float* at, size_t count) { return count < kWidth ? load_part(at, count) : load(at); }

inline void store_some(float* at, Vector value, size_t count) {
  if (count < kWidth) store_part(at, value, count);
  else store(at, value);
}

// Adds the lanes as a tree: the upper half to the lower half, until one is left. Overwrites them.
inline float tree_sum(float* lanes) {
  for (size_t half = kLanes / 2; half >= 1; half /= 2) {
    for (size_t lane = 0; lane < half; lane++) lanes[lane] += lanes[lane + half];
  }
  return lanes[0];
}

// The partial sums of one row, in vectors.
struct LaneSums {
  Vector parts[kLanes / kWidth] = {};

  Vector& at(size_t column) { return parts[column / kWidth % (kLanes / kWidth)]; }

  float total() const {
    float lanes[kLanes];
    for (size_t part = 0; part < kLanes / kWidth; part++) store(lanes + part * kWidth, parts[part]);
    return tree_sum(lanes);
  }
};

}  // namespace
