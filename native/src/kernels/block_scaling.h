// What block floating point has in common: the scale of the largest magnitude of a block, and rounding to integers of it.
#pragma once

#include "panels.h"
#include "ranges.h"

namespace {

typedef uint32_t Words __attribute__((vector_size(TUNDISH_WIDTH * 4)));

struct Scaling {
  Vector scale;
  Vector inverse;
};

inline Words load_words(const float* at) { return reinterpret_cast<Words>(load(at)); }

inline Words magnitude(Vector x) { return reinterpret_cast<Words>(x) & 0x7fffffff; }

// Both below 2^31, where a signed comparison is one instruction on every CPU.
inline Words larger(Words a, Words b) { return reinterpret_cast<Lanes>(a) > reinterpret_cast<Lanes>(b) ? a : b; }

// Of `steps` elements, whole vectors, of each of at most kWidth rows: as bits, one row a lane.
inline Words largest_of_rows(const float* from, size_t stride, size_t rows, size_t steps) {
  Vector x[kWidth];
  for (size_t row = 0; row < kWidth; row++) {
    Words largest{};
    for (size_t i = 0; row < rows && i < steps; i += kWidth) largest = larger(largest, magnitude(load(from + row * stride + i)));
    x[row] = reinterpret_cast<Vector>(largest);
  }
  transpose(x);
  Words largest{};
#pragma GCC unroll 16
  for (size_t i = 0; i < kWidth; i++) largest = larger(largest, reinterpret_cast<Words>(x[i]));
  return largest;
}

// Of blocks with these magnitudes, one a lane, whose largest becomes the integer `bound`.
inline Scaling scaling_of(Words largest, float bound) {
  constexpr int32_t kSmallest = 0x0d800000;  // 2^-100
  constexpr int32_t kInfinity = 0x7f800000;
  const Lanes bits = reinterpret_cast<Lanes>(largest);
  const Words present = reinterpret_cast<Words>(bits >= kSmallest), finite = reinterpret_cast<Words>(bits < kInfinity);
  const Vector magnitude = reinterpret_cast<Vector>(largest), integer = broadcast(bound);
  return {reinterpret_cast<Vector>((reinterpret_cast<Words>(magnitude / integer) & present) | (~finite & 0x7fc00000)),
          reinterpret_cast<Vector>(reinterpret_cast<Words>(integer / magnitude) & present & finite)};
}

// The word of two integers that kRoundingMagic was added to: it rounds, and leaves the integer in the lower bits.
template <typename Bits>
inline Bits pair_up(Bits first, Bits second) { return (first & 0xffff) | second << 16; }

inline Words round_bits(Vector x) { return reinterpret_cast<Words>(x + broadcast(kRoundingMagic)); }
inline uint32_t round_bits(float x) { return bits_of_float(x + kRoundingMagic); }

}  // namespace
