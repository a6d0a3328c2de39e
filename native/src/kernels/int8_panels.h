// Panels for products of rows in block floating point of 8 bits with codes of 4: 32 consecutive steps of a row share a scale,
// and meet 32 codes that share one too. Sums within a block are exact integers; a chain of fp32 takes one step a block:
//
//   scale = m / 127, q = rint(x * (127 / m)) for the largest magnitude m of the block, both quotients in fp32;
//   chain = fma(fp32(sum of q * code), scale of the block * scale of the codes, chain).
//
// A block whose m is below 2^-100 is 0. One that is not finite makes NaN of every element that takes it: its scale is NaN.
//
// Instructions multiply unsigned bytes with signed ones: rows hold q + 128, and each column begins its sums at -128 times the
// codes that they will meet. Sums of pairs of steps fit 16 bits, as they are without the 128; on the way they may wrap.
#pragma once

#include "block_scaling.h"
#include "register_tile.h"
#include "table.h"

namespace {

using tundish::kCodedSteps;

// Four steps lie in a word. Behind a block's words come where sums of a column begin, and the scale.
constexpr size_t kInt8Words = kCodedSteps / 4;
constexpr size_t kStartWord = kInt8Words;
constexpr size_t kScaleWord = kInt8Words + 1;
constexpr size_t kInt8BlockWords = kInt8Words + 2;
constexpr float kLargestInt8 = 127.0f;
constexpr uint32_t kInt8Offset = 128;

#if (TUNDISH_WIDTH == 8 || TUNDISH_WIDTH == 16) && !defined(__AVX512VNNI__)
typedef int16_t Sums __attribute__((vector_size(TUNDISH_WIDTH * 4)));
#else
typedef Lanes Sums;
#endif

inline Words negative(Words sums) { return reinterpret_cast<Words>(-reinterpret_cast<Sums>(sums)); }

#if TUNDISH_WIDTH == 8

// sums += quads of bytes at a times quads of left and right, in two halves of each lane. As in int16_panels.h these are all
// registers that there are.
inline void add_quads(Words (&sums)[2], const float* a, Words left, Words right) {
  Words x, product;
  asm("vpbroadcastd %[a], %[x]\n\t"
      "vpmaddubsw %[left], %[x], %[product]\n\t"
      "vpmaddubsw %[right], %[x], %[x]\n\t"
      "vpaddw %[product], %[left_sum], %[left_sum]\n\t"
      "vpaddw %[x], %[right_sum], %[right_sum]"
      : [left_sum] "+x"(sums[0]), [right_sum] "+x"(sums[1]), [x] "=&x"(x), [product] "=&x"(product)
      : [a] "m"(*a), [left] "x"(left), [right] "x"(right));
}

inline Lanes total(Words sum) { return reinterpret_cast<Lanes>(_mm256_madd_epi16(reinterpret_cast<__m256i>(sum), _mm256_set1_epi16(1))); }

#else

#if TUNDISH_WIDTH == 16 && !defined(__AVX512VNNI__)

inline Words add_quad(Words sum, Words a, Words b) {
  return reinterpret_cast<Words>(_mm512_add_epi16(reinterpret_cast<__m512i>(sum), _mm512_maddubs_epi16(reinterpret_cast<__m512i>(a), reinterpret_cast<__m512i>(b))));
}

inline Lanes total(Words sum) { return reinterpret_cast<Lanes>(_mm512_madd_epi16(reinterpret_cast<__m512i>(sum), _mm512_set1_epi16(1))); }

#else

inline Words add_quad(Words sum, Words a, Words b) {
#if TUNDISH_WIDTH == 16
  return reinterpret_cast<Words>(_mm512_dpbusd_epi32(reinterpret_cast<__m512i>(sum), reinterpret_cast<__m512i>(a), reinterpret_cast<__m512i>(b)));
#else
#pragma GCC unroll 4
  for (int shift = 0; shift < 32; shift += 8) sum += (a >> shift & 0xff) * reinterpret_cast<Words>(reinterpret_cast<Lanes>(b << (24 - shift)) >> 24);
  return sum;
#endif
}

inline Lanes total(Words sum) { return reinterpret_cast<Lanes>(sum); }

#endif

inline void add_quads(Words (&sums)[2], const float* a, Words left, Words right) {
  const Words x = Words{} + bits_of_float(*a);
  sums[0] = add_quad(sums[0], x, left);
  sums[1] = add_quad(sums[1], x, right);
}

#endif

// Integers of a block of x, plus `offset`.
inline void round_block(const float* x, float inverse, uint32_t offset, uint8_t* to) {
  for (size_t p = 0; p < kCodedSteps; p++) to[p] = static_cast<uint8_t>(round_bits(x[p] * inverse) + offset);
}

// Blocks [begin, end) of x as integers and scales; those of a block that is not finite are 0, and its scale is NaN.
void round_blocks(const float* x, int8_t* codes, float* scale, size_t begin, size_t end) {
  for (size_t block = begin; block < end; block += kWidth) {
    const size_t count = smaller(kWidth, end - block);
    const Scaling scaling = scaling_of(largest_of_rows(x + block * kCodedSteps, kCodedSteps, count, kCodedSteps), kLargestInt8);
    float scales[kWidth], inverse[kWidth];
    store(scales, scaling.scale);
    store(inverse, scaling.inverse);
    for (size_t i = 0; i < count; i++) {
      uint8_t* to = reinterpret_cast<uint8_t*>(codes) + (block + i) * kCodedSteps;
      if (inverse[i] > 0.0f) round_block(x + (block + i) * kCodedSteps, inverse[i], 0, to);
      else __builtin_memset(to, 0, kCodedSteps);
      scale[block + i] = scales[i];
    }
  }
}

// One step of every chain, from a block of rows and one of columns.
inline void advance_int8(Chains& chain, const float* __restrict a, const float* __restrict b) {
  Words sums[kTileRows][2];
  const float* start = b + kStartWord * kTileColumns;
#pragma GCC unroll 16
  for (size_t i = 0; i < kTileRows; i++) {
    sums[i][0] = load_words(start);
    sums[i][1] = load_words(start + kWidth);
  }
#pragma GCC unroll 8
  for (size_t p = 0; p < kInt8Words; p++) {
    const Words left = load_words(b + p * kTileColumns), right = load_words(b + p * kTileColumns + kWidth);
#pragma GCC unroll 16
    for (size_t i = 0; i < kTileRows; i++) add_quads(sums[i], a + p * kTileRows + i, left, right);
  }
  const float* scales = b + kScaleWord * kTileColumns;
  const Vector left = load(scales), right = load(scales + kWidth);
#pragma GCC unroll 16
  for (size_t i = 0; i < kTileRows; i++) {
    const Vector scale = broadcast(a[kScaleWord * kTileRows + i]);
    chain[i][0] = fused(__builtin_convertvector(total(sums[i][0]), Vector), scale * left, chain[i][0]);
    chain[i][1] = fused(__builtin_convertvector(total(sums[i][1]), Vector), scale * right, chain[i][1]);
  }
}

struct Int8Panels {
  static constexpr size_t kSliceSteps = 1024;

  // Words that `steps` steps take, which are whole blocks.
  static size_t length(size_t steps) { return steps / kCodedSteps * kInt8BlockWords; }

  static void resume(Chains&) {}

  static void advance(Chains& chain, const float* a, const float* b, size_t words) {
    for (; words > 0; words -= kInt8BlockWords, a += kInt8BlockWords * kTileRows, b += kInt8BlockWords * kTileColumns) advance_int8(chain, a, b);
  }

  // Rows of `depth` elements -> one panel; stores reach over their ends like those of pack_rows in panels.h.
  static void pack_rows(const float* from, size_t stride, size_t rows, size_t depth, float* panel) {
    static_assert(kTileRows <= kWidth);
    uint8_t bytes[kWidth * kCodedSteps] = {};
    for (size_t k = 0; k < depth; k += kCodedSteps, from += kCodedSteps, panel += kInt8BlockWords * kTileRows) {
      const Scaling scaling = scaling_of(largest_of_rows(from, stride, rows, kCodedSteps), kLargestInt8);
      float inverse[kWidth];
      store(inverse, scaling.inverse);
      for (size_t i = 0; i < rows; i++) round_block(from + i * stride, inverse[i], kInt8Offset, bytes + i * kCodedSteps);
      spread(bytes, kCodedSteps, panel, kTileRows);
      store(panel + kStartWord * kTileRows, Vector{});
      store(panel + kScaleWord * kTileRows, scaling.scale);
    }
  }

  // Columns [column, column + columns) x steps [k, k + depth) of a weight of `row` codes a column -> panels, one behind the other.
  static void pack_columns(const tundish::CodedWeight& weight, size_t row, size_t column, size_t columns, size_t k, size_t depth, float* panel) {
    for (size_t end = column + columns; column < end; column += kTileColumns) {
      const size_t count = smaller(kTileColumns, end - column);
      for (size_t step = k; step < k + depth; step += kCodedSteps, panel += kInt8BlockWords * kTileColumns) {
        const int8_t* codes = weight.codes + column * row + step;
        if (count == kTileColumns) pack_codes(codes, row, panel);
        else pack_few(codes, row, count, panel);
        for (size_t i = 0; i < kTileColumns; i++) {
          panel[kScaleWord * kTileColumns + i] = i < count ? weight.scale[((column + i) * row + step) / weight.block] : 0.0f;
        }
      }
    }
  }

 private:
  // A block of bytes of each of kWidth rows -> their words, lane i of a vector that of row i.
  static void spread(const void* bytes, size_t stride, float* to, size_t width) {
    constexpr size_t kSquare = smaller(kWidth, kInt8Words);
    for (size_t word = 0; word < kInt8Words; word += kSquare) {
      const char* from = static_cast<const char*>(bytes) + word * sizeof(float);
      Vector x[kSquare];
#pragma GCC unroll 8
      for (size_t i = 0; i < kSquare; i++) {
#pragma GCC unroll 2
        for (size_t beside = 0; beside < kWidth; beside += kSquare) {
          __builtin_memcpy(reinterpret_cast<char*>(x + i) + beside * sizeof(float), from + (beside + i) * stride, kSquare * sizeof(float));
        }
      }
      transpose<kSquare>(x);
#pragma GCC unroll 8
      for (size_t i = 0; i < kSquare; i++) store(to + (word + i) * width, x[i]);
    }
  }

  // Codes of a block of kTileColumns columns, and where their sums begin: what rows of nothing but the offset would add, less than 0.
  static void pack_codes(const int8_t* codes, size_t stride, float* panel) {
    spread(codes, stride, panel, kTileColumns);
    spread(codes + kWidth * stride, stride, panel + kWidth, kTileColumns);
    const float offset = float_of_bits(kInt8Offset * 0x01010101u);
    Words sums[2] = {};
    for (size_t p = 0; p < kInt8Words; p++) add_quads(sums, &offset, load_words(panel + p * kTileColumns), load_words(panel + p * kTileColumns + kWidth));
    store(panel + kStartWord * kTileColumns, reinterpret_cast<Vector>(negative(sums[0])));
    store(panel + kStartWord * kTileColumns + kWidth, reinterpret_cast<Vector>(negative(sums[1])));
  }

  static void pack_few(const int8_t* codes, size_t stride, size_t columns, float* panel) {
    int8_t copy[kTileColumns * kCodedSteps] = {};
    for (size_t i = 0; i < columns; i++) __builtin_memcpy(copy + i * kCodedSteps, codes + i * stride, kCodedSteps);
    pack_codes(copy, kCodedSteps, panel);
  }
};

}  // namespace
