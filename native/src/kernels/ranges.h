// Min-max ranges, scales and rounding, step by step as AIMET 2.42 does them in fp32; ts/typescript/ranges.ts is the twin.
#pragma once

#include "table.h"
#include "vector.h"

namespace {

using tundish::Range;

// AIMET's smallest scale for 4, 8 and 16 bits: the fp32 machine epsilon.
constexpr float kScaleFloor = 0x1p-23f;
// Adding and subtracting this rounds |x| <= 2^22 to an integer, half to even.
constexpr float kRoundingMagic = 0x1.8p23f;

// Clamps to the integer bounds, then rounds half to even; a NaN becomes `low`.
inline float clamp_round(float value, float low, float high) {
  float raised = value >= low ? value : low;
  float clamped = raised > high ? high : raised;
  return (clamped + kRoundingMagic) - kRoundingMagic;
}

// The range of x together with `start`; a NaN never replaces a number.
inline Range widen_range(const float* x, size_t count, Range start) {
  Vector low = broadcast(start.min), high = broadcast(start.max);
  size_t i = 0;
  for (; i + kWidth <= count; i += kWidth) {
    Vector v = load(x + i);
    low = v < low ? v : low;
    high = v > high ? v : high;
  }
  Range range = start;
  for (size_t lane = 0; lane < kWidth; lane++) {
    if (low[lane] < range.min) range.min = low[lane];
    if (high[lane] > range.max) range.max = high[lane];
  }
  for (; i < count; i++) {
    if (x[i] < range.min) range.min = x[i];
    if (x[i] > range.max) range.max = x[i];
  }
  return range;
}

inline Range range_with_zero(const float* w, size_t count) { return widen_range(w, count, Range{0.0f, 0.0f}); }

inline Range min_max(const float* x, size_t count) {
  Range range = widen_range(x, count, Range{__builtin_inff(), -__builtin_inff()});
  // Which zero comes first is not a property of the data: + 0 turns -0 into +0.
  return Range{range.min + 0.0f, range.max + 0.0f};
}

// Scale of the symmetric full grid; a range under the floor is widened by floor * steps, as AIMET does, not replaced.
inline float symmetric_scale(Range range, int bits) {
  const float m = static_cast<float>(1 << (bits - 1));
  const float p = m - 1.0f;
  float low = range.min, high = range.max;
  if ((high - low) / (p + m) < kScaleFloor) {
    low = low - m * kScaleFloor;
    high = high + p * kScaleFloor;
  }
  const float positive = high / p;
  const float negative = -low / m;
  const float d = positive > negative ? positive : negative;
  const float scale = (p * d + m * d) / (p + m);
  return scale > kScaleFloor ? scale : kScaleFloor;
}

// codes = clamp(rint(w / scale), low, high) + offset.
template <typename Code>
inline void round_codes(const float* __restrict w, size_t count, float scale, float low, float high, float offset, Code* __restrict codes) {
  for (size_t i = 0; i < count; i++) codes[i] = static_cast<Code>(static_cast<int32_t>(clamp_round(w[i] / scale, low, high) + offset));
}

}  // namespace
