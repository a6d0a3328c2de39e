// Panels of elements rounded to bfloat16. The steps of a chain are taken in pairs (2p, 2p + 1), the odd one first: the order
// of the instruction that multiplies pairs. For it the elements of a pair lie in one word, for any other CPU in two steps.
//
// Elements are 0 or at least 2^-56 and have 8 bits, so products are multiples of 2^-126, and so is every value of a chain
// that starts from one: none is subnormal, and it does not matter what a CPU or the instruction makes of subnormal numbers.
#pragma once

#include "bfloat16.h"
#include "panels.h"
#include "register_tile.h"

namespace {

// Lane lane_of(i) of a and b behind each other, for every lane i.
template <typename LaneOf>
inline Words pick(Vector a, Vector b, LaneOf lane_of) {
  Lanes from{};
#pragma GCC unroll 16
  for (size_t i = 0; i < kWidth; i++) from[i] = static_cast<int32_t>(lane_of(i));
  return reinterpret_cast<Words>(shuffle(a, b, from));
}

#if defined(__AVX512BF16__)

constexpr size_t kWordsPerPair = 1;

template <typename Bits>
inline Bits pair_up(Bits even, Bits odd) { return narrow(even) >> 16 | narrow(odd); }

// 2 * kWidth steps of a row.
inline Vector pair_row(const float* from) {
  const Vector left = load(from), right = load(from + kWidth);
  const Words even = pick(left, right, [](size_t i) { return 2 * i; }), odd = pick(left, right, [](size_t i) { return 2 * i + 1; });
  return reinterpret_cast<Vector>(pair_up(even, odd));
}

// A pair of steps of `width` columns.
template <size_t width>
inline void pair_columns(const float* __restrict even, const float* __restrict odd, float* __restrict to) {
  for (size_t i = 0; i < width; i++) to[i] = float_of_bits(pair_up(bits_of_float(even[i]), bits_of_float(odd[i])));
}

inline __m512bh as_pairs(Vector words) { return reinterpret_cast<__m512bh>(words); }

// Both steps of a pair in every lane, the odd one first.
inline Vector advance_pair(Vector chain, __m512bh a, __m512bh b) {
  return reinterpret_cast<Vector>(_mm512_dpbf16_ps(reinterpret_cast<__m512>(chain), a, b));
}

inline void advance_pairs(Chains& chain, const float* __restrict a, const float* __restrict b, size_t words) {
  for (size_t p = 0; p < words; p++) {
    const __m512bh left = as_pairs(load(b + p * kTileColumns)), right = as_pairs(load(b + p * kTileColumns + kWidth));
#pragma GCC unroll 16
    for (size_t i = 0; i < kTileRows; i++) {
      const __m512bh x = as_pairs(reinterpret_cast<Vector>(_mm512_set1_ps(a[p * kTileRows + i])));
      chain[i][0] = advance_pair(chain[i][0], x, left);
      chain[i][1] = advance_pair(chain[i][1], x, right);
    }
  }
}

#else

constexpr size_t kWordsPerPair = 2;

// kWidth steps of a row.
inline Vector pair_row(const float* from) {
  const Vector x = load(from);
  return reinterpret_cast<Vector>(narrow(pick(x, x, [](size_t i) { return i ^ 1; })));
}

// A pair of steps of `width` columns.
template <size_t width>
inline void pair_columns(const float* __restrict even, const float* __restrict odd, float* __restrict to) {
  for (size_t i = 0; i < width; i++) to[i] = float_of_bits(narrow(bits_of_float(odd[i])));
  for (size_t i = 0; i < width; i++) to[width + i] = float_of_bits(narrow(bits_of_float(even[i])));
}

inline void advance_pairs(Chains& chain, const float* a, const float* b, size_t words) { advance(chain, a, b, words); }

#endif

struct Bfloat16Panels {
  static constexpr size_t kStepsPerWord = 2 / kWordsPerPair;

  // Words that `steps` steps take; a missing last one is 0 times 0.
  static size_t length(size_t steps) { return (steps + 1) / 2 * kWordsPerPair; }

  // Like pack_rows of panels.h, a vector of every row at once.
  template <size_t width>
  static void pack_rows(const float* from, size_t stride, size_t rows, size_t depth, float* panel) {
    constexpr size_t kSpan = kWidth * kStepsPerWord;
    for (size_t p = 0; p < depth; p += kSpan, panel += kWidth * width) {
      const size_t steps = smaller(kSpan, depth - p), words = length(steps);
      Vector x[kWidth];
#pragma GCC unroll 16
      for (size_t i = 0; i < kWidth; i++) x[i] = i < rows ? read_row<kSpan>(from + i * stride + p, steps) : Vector{};
      transpose(x);
#pragma GCC unroll 16
      for (size_t i = 0; i < kWidth; i++) {
        if (i < words) store(panel + i * width, x[i]);
      }
    }
  }

  // Like pack_columns of panels.h, two rows at once.
  template <size_t width>
  static void pack_columns(const float* from, size_t stride, size_t columns, size_t depth, float* panels) {
    for (size_t p = 0; p < depth; p += 2, panels += kWordsPerPair * width) {
      const float* even = from + p * stride;
      float* to = panels;
      for (size_t column = 0; column < columns; column += width, even += width, to += width * length(depth)) {
        const size_t count = smaller(width, columns - column);
        if (count == width && p + 1 < depth) {
          pair_columns<width>(even, even + stride, to);
        } else {
          float rows[2][width] = {};
          __builtin_memcpy(rows[0], even, count * sizeof(float));
          if (p + 1 < depth) __builtin_memcpy(rows[1], even + stride, count * sizeof(float));
          pair_columns<width>(rows[0], rows[1], to);
        }
      }
    }
  }

  // What chains start from is rounded to multiples of 2^-126; the values of chains are such already.
  static void resume(Chains& chain) {
#pragma GCC unroll 16
    for (size_t i = 0; i < kTileRows; i++) {
      chain[i][0] = round_start(chain[i][0]);
      chain[i][1] = round_start(chain[i][1]);
    }
  }

  static void advance(Chains& chain, const float* a, const float* b, size_t words) { advance_pairs(chain, a, b, words); }

 private:
  template <size_t span>
  static Vector read_row(const float* from, size_t steps) {
    if (steps == span) return pair_row(from);
    float row[span] = {};
    __builtin_memcpy(row, from, steps * sizeof(float));
    return pair_row(row);
  }

  // Adding 2^-103 with the sign of a smaller number, and subtracting it again, does that and leaves no -0.
  static Vector round_start(Vector value) {
    const Words bits = reinterpret_cast<Words>(value), magnitude = bits & 0x7fffffff;
    const Vector shift = reinterpret_cast<Vector>((bits & 0x80000000) | kLargestRounded);
    const Words rounded = reinterpret_cast<Words>((value + shift) - shift);
    const Words small = reinterpret_cast<Words>(magnitude < kLargestRounded);
    return reinterpret_cast<Vector>((rounded & small) | (bits & ~small));
  }
  // 2^-103
  static constexpr uint32_t kLargestRounded = 0x0c000000;
};

}  // namespace
