// Panels of block floating point: 128 consecutive steps of a row or column share a scale, and each is an integer of 13 bits
// times it. Sums within a block are exact integers, in whatever order; a chain of fp32 takes one step a block:
//
//   scale = m / 4095, q = rint(x * (4095 / m)) for the largest magnitude m of the block, both quotients in fp32;
//   chain = fma(fp32(sum of qa * qb), scale a * scale b, chain).
//
// A block whose m is below 2^-100 is 0. One that is not finite makes NaN of every element that takes it: its scale is NaN.
#pragma once

#include "block_scaling.h"
#include "register_tile.h"

namespace {

constexpr size_t kBlockSteps = 128;
// Steps p and p + kPairs of a block lie in one word; behind its words comes the scale.
constexpr size_t kPairs = kBlockSteps / 2;
constexpr size_t kBlockWords = kPairs + 1;
// The largest integer: 128 products of two of them are below 2^31.
constexpr float kLargestInteger = 4095.0f;
// Columns that are packed at once, at most.
constexpr size_t kLongestRow = 1024;
static_assert(kBlockSteps * static_cast<uint64_t>(kLargestInteger) * static_cast<uint64_t>(kLargestInteger) < uint64_t{1} << 31);

#if TUNDISH_WIDTH == 8

// sums += pairs at a times pairs of left and right. Beside twelve sums these are all registers there are, which the compiler
// does not find itself.
inline void add_products(Words (&sums)[2], const float* a, Words left, Words right) {
  Words x, product;
  asm("vpbroadcastd %[a], %[x]\n\t"
      "vpmaddwd %[left], %[x], %[product]\n\t"
      "vpmaddwd %[right], %[x], %[x]\n\t"
      "vpaddd %[product], %[left_sum], %[left_sum]\n\t"
      "vpaddd %[x], %[right_sum], %[right_sum]"
      : [left_sum] "+x"(sums[0]), [right_sum] "+x"(sums[1]), [x] "=&x"(x), [product] "=&x"(product)
      : [a] "m"(*a), [left] "x"(left), [right] "x"(right));
}

#else

// sum + both products of each pair.
inline Words add_pairs(Words sum, Words a, Words b) {
#if defined(__AVX512VNNI__)
  return reinterpret_cast<Words>(_mm512_dpwssd_epi32(reinterpret_cast<__m512i>(sum), reinterpret_cast<__m512i>(a), reinterpret_cast<__m512i>(b)));
#elif TUNDISH_WIDTH == 16
  return sum + reinterpret_cast<Words>(_mm512_madd_epi16(reinterpret_cast<__m512i>(a), reinterpret_cast<__m512i>(b)));
#else
  const auto first = [](Words x) { return reinterpret_cast<Words>(reinterpret_cast<Lanes>(x << 16) >> 16); };
  const auto second = [](Words x) { return reinterpret_cast<Words>(reinterpret_cast<Lanes>(x) >> 16); };
  return sum + first(a) * first(b) + second(a) * second(b);
#endif
}

inline void add_products(Words (&sums)[2], const float* a, Words left, Words right) {
  const Words x = Words{} + bits_of_float(*a);
  sums[0] = add_pairs(sums[0], x, left);
  sums[1] = add_pairs(sums[1], x, right);
}

#endif

// One step of every chain, from a block of a and one of b.
inline void advance_block(Chains& chain, const float* __restrict a, const float* __restrict b) {
  Words sums[kTileRows][2] = {};
#pragma GCC unroll 2
  for (size_t p = 0; p < kPairs; p++, a += kTileRows, b += kTileColumns) {
    const Words left = load_words(b), right = load_words(b + kWidth);
#pragma GCC unroll 16
    for (size_t i = 0; i < kTileRows; i++) add_products(sums[i], a + i, left, right);
  }
  const Vector left = load(b), right = load(b + kWidth);
#pragma GCC unroll 16
  for (size_t i = 0; i < kTileRows; i++) {
    const Vector scale = broadcast(a[i]);
    chain[i][0] = fused(__builtin_convertvector(reinterpret_cast<Lanes>(sums[i][0]), Vector), scale * left, chain[i][0]);
    chain[i][1] = fused(__builtin_convertvector(reinterpret_cast<Lanes>(sums[i][1]), Vector), scale * right, chain[i][1]);
  }
}

struct Int16Panels {
  static constexpr size_t kSliceSteps = 1024;

  // Words that `steps` steps take; the last block is filled up with zeros.
  static size_t length(size_t steps) { return (steps + kBlockSteps - 1) / kBlockSteps * kBlockWords; }

  template <size_t width>
  static void pack_rows(const float* from, size_t stride, size_t rows, size_t depth, float* panel) {
    for (size_t k = 0; k < depth; k += kBlockSteps, from += kBlockSteps, panel += kBlockWords * width) {
      if (depth - k >= kBlockSteps) {
        pack_block<width>(from, stride, rows, panel);
        continue;
      }
      float filled[kWidth][kBlockSteps] = {};
      for (size_t i = 0; i < rows && i < kWidth; i++) __builtin_memcpy(filled[i], from + i * stride, (depth - k) * sizeof(float));
      pack_block<width>(filled[0], kBlockSteps, rows, panel);
    }
  }

  // Columns of `depth` rows -> panels, one behind the other. Every row is read as a whole, twice: see panels.h.
  template <size_t width>
  static void pack_columns(const float* from, size_t stride, size_t columns, size_t depth, float* panels) {
    alignas(64) float scale[kLongestRow], inverse[kLongestRow];
    const size_t words = length(depth);
    for (size_t k = 0; k < depth; k += kBlockSteps, from += kBlockSteps * stride, panels += kBlockWords * width) {
      const size_t steps = smaller(kBlockSteps, depth - k);
      scale_columns(from, stride, columns, steps, scale, inverse);
      const float zeros[width] = {};
      for (size_t p = 0; p < kPairs; p++) {
        for (size_t column = 0; column < columns; column += width) {
          const size_t count = smaller(width, columns - column);
          const float* at = from + p * stride + column;
          pair_columns<width>(p < steps ? at : zeros, p + kPairs < steps ? at + kPairs * stride : zeros, inverse + column, count, panels + column * words + p * width);
        }
      }
      for (size_t column = 0; column < columns; column += width) {
        for (size_t i = 0; i < width; i++) panels[column * words + kPairs * width + i] = column + i < columns ? scale[column + i] : 0.0f;
      }
    }
  }

  static void resume(Chains&) {}

  static void advance(Chains& chain, const float* a, const float* b, size_t words) {
    for (; words > 0; words -= kBlockWords, a += kBlockWords * kTileRows, b += kBlockWords * kTileColumns) advance_block(chain, a, b);
  }

 private:
  // A block of each row; stores reach over their ends like those of pack_rows in panels.h.
  template <size_t width>
  static void pack_block(const float* from, size_t stride, size_t rows, float* panel) {
    const Scaling scaling = scaling_of(largest_of_rows(from, stride, rows, kBlockSteps), kLargestInteger);
    Vector x[kWidth];
    float inverse[kWidth];
    store(inverse, scaling.inverse);
    for (size_t p = 0; p < kPairs; p += kWidth) {
#pragma GCC unroll 16
      for (size_t i = 0; i < kWidth; i++) {
        const float* row = from + i * stride + p;
        const Vector factor = broadcast(inverse[i]);
        x[i] = i < rows ? reinterpret_cast<Vector>(pair_up(round_bits(load(row) * factor), round_bits(load(row + kPairs) * factor))) : Vector{};
      }
      transpose(x);
#pragma GCC unroll 16
      for (size_t i = 0; i < kWidth; i++) store(panel + (p + i) * width, x[i]);
    }
    store(panel + kPairs * width, scaling.scale);
  }

  static void scale_columns(const float* from, size_t stride, size_t columns, size_t steps, float* scale, float* inverse) {
    alignas(64) uint32_t largest[kLongestRow] = {};
    for (size_t step = 0; step < steps; step++) {
      const float* row = from + step * stride;
      for (size_t i = 0; i < columns; i++) {
        const uint32_t bits = bits_of_float(row[i]) & 0x7fffffff;
        largest[i] = bits > largest[i] ? bits : largest[i];
      }
    }
    for (size_t i = 0; i < columns; i += kWidth) {
      const Scaling scaling = scaling_of(load_words(reinterpret_cast<const float*>(largest + i)), kLargestInteger);
      store(scale + i, scaling.scale);
      store(inverse + i, scaling.inverse);
    }
  }

  // A pair of steps of `count` columns, and zeros up to `width`.
  template <size_t width>
  static void pair_columns(const float* __restrict first, const float* __restrict second, const float* __restrict inverse, size_t count, float* __restrict to) {
    for (size_t i = 0; i < width; i++) {
      const bool there = count == width || i < count;
      to[i] = float_of_bits(there ? pair_up(round_bits(first[i] * inverse[i]), round_bits(second[i] * inverse[i])) : 0);
    }
  }
};

}  // namespace
