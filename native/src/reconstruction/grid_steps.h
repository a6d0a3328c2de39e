// Rounding to a grid with the derivative of the straight-through estimator, in vectors.
#pragma once

#include "../kernels/lanes.h"
#include "../kernels/ranges.h"
#include "table.h"

namespace {

inline Vector clamp(Vector x, float low, float high) {
  const Vector least = broadcast(low), most = broadcast(high);
  x = x >= least ? x : least;
  return x > most ? most : x;
}

// clamp_round of ranges.h in every lane.
inline Vector round_to_codes(Vector x, float low, float high) { return (clamp(x, low, high) + kRoundingMagic) - kRoundingMagic; }

// Whether rint(x) is a code. `low` is even and `high` odd, so low - 1/2 rounds to low and high + 1/2 away from high.
inline auto is_inside(Vector x, float low, float high) { return (x >= broadcast(low - 0.5f)) & (x < broadcast(high + 0.5f)); }

}  // namespace
