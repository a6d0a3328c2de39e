// Products for x86-64 with AVX-512 VNNI: a dot product of four bytes in every lane of 32 bits.
//
// One row of activations meets the weights as they lie. Several rows meet a panel: 32 rows of weights as int8, four
// neighbouring columns of each side by side, so that a lane is an output.
#include <immintrin.h>

#include <cstring>

#include "block_table.h"
#include "finish.h"
#include "product.h"

namespace {

using tundish::Form;
using tundish::Operand;
using tundish::Planes;
using tundish::kGroup;
using tundish::kPanelRows;

uint64_t split(const uint16_t* codes, size_t columns, bool paired, uint8_t* high, uint8_t* low) {
  __m512i total = _mm512_setzero_si512();
  for (size_t k = 0; k < columns; k += 32) {
    const size_t left = columns - k;
    const __mmask32 present = left >= 32 ? ~__mmask32{0} : (__mmask32{1} << left) - 1;
    const __m512i words = _mm512_maskz_loadu_epi16(present, codes + k);
    total = _mm512_add_epi32(total, _mm512_add_epi32(_mm512_and_si512(words, _mm512_set1_epi32(0xffff)), _mm512_srli_epi32(words, 16)));
    if (paired) {
      const size_t place = k / kGroup * kGroup + k % kGroup / 2;
      _mm_storeu_si128(reinterpret_cast<__m128i*>(low + place), _mm512_cvtepi32_epi8(words));
      _mm_storeu_si128(reinterpret_cast<__m128i*>(high + place), _mm512_cvtepi32_epi8(_mm512_srli_epi32(words, 8)));
      _mm_storeu_si128(reinterpret_cast<__m128i*>(low + place + kGroup / 2), _mm512_cvtepi32_epi8(_mm512_srli_epi32(words, 16)));
      _mm_storeu_si128(reinterpret_cast<__m128i*>(high + place + kGroup / 2), _mm512_cvtepi32_epi8(_mm512_srli_epi32(words, 24)));
    } else {
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(low + k), _mm512_cvtepi16_epi8(words));
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(high + k), _mm512_cvtepi16_epi8(_mm512_srli_epi16(words, 8)));
    }
  }
  // An odd number of halves leaves the second half of the last group.
  if (columns % kGroup != 0 && columns % kGroup <= kGroup / 2) {
    const size_t group = columns / kGroup * kGroup;
    const size_t places[2] = {paired ? group + kGroup / 4 : group + kGroup / 2, group + 3 * (kGroup / 4)};
    for (const size_t place : places) {
      _mm_storeu_si128(reinterpret_cast<__m128i*>(high + place), _mm_setzero_si128());
      _mm_storeu_si128(reinterpret_cast<__m128i*>(low + place), _mm_setzero_si128());
    }
  }
  return static_cast<uint64_t>(_mm512_reduce_add_epi64(_mm512_add_epi64(_mm512_and_si512(total, _mm512_set1_epi64(0xffffffff)), _mm512_srli_epi64(total, 32))));
}

// How far ahead of the use weights are asked for, in bytes. A row is too short for the processor to see the stream: without
// this, one token at a time read 11 GB/s from memory on two cores, with it 18 to 24.
constexpr size_t kNibblesAhead = 8192;
constexpr size_t kBytesAhead = 4096;

inline void prefetch(const uint8_t* at) { _mm_prefetch(reinterpret_cast<const char*>(at), _MM_HINT_T0); }

// Index of two integers 1..16 in the table; whatever a damaged file holds stays inside it.
inline size_t pair_of(size_t first, size_t second) { return ((first - 1) & 15) * 16 + ((second - 1) & 15); }

// 64 weights of one row from column `k` on in the order of the planes; columns past the end are zero.
template <size_t kBlock>
inline __m512i blockwise_group(const uint8_t* nibbles, const uint8_t* scales, size_t block, size_t k, size_t columns) {
  const size_t left = columns - k;
  // A line of the cache holds two groups.
  if (k % (2 * kGroup) == 0) prefetch(nibbles + k / 2 + kNibblesAhead);
  const __m256i eights = _mm256_set1_epi8(static_cast<char>(0x88));
  const __m256i bytes = left >= kGroup ? _mm256_loadu_si256(reinterpret_cast<const __m256i*>(nibbles + k / 2))
                                       : _mm256_mask_loadu_epi8(eights, (__mmask32{1} << (left / 2)) - 1, nibbles + k / 2);
  const __m256i mask = _mm256_set1_epi8(15);
  const __m512i codes = _mm512_inserti64x4(_mm512_castsi256_si512(_mm256_and_si256(bytes, mask)), _mm256_and_si256(_mm256_srli_epi16(bytes, 4), mask), 1);
  const auto table = [](size_t pair) {
    return _mm512_broadcast_i64x4(_mm256_load_si256(reinterpret_cast<const __m256i*>(kBlockTable.products[pair])));
  };
  if constexpr (kBlock == 64) {
    const size_t scale = scales[k / block];
    return _mm512_shuffle_epi8(table(pair_of(scale, scale)), codes);
  } else if constexpr (kBlock == 32) {
    const uint8_t* at = scales + k / 32;
    return _mm512_shuffle_epi8(table(pair_of(at[0], left > 32 ? at[1] : 1)), codes);
  } else {
    // Two blocks lie in 16 bytes: each is looked up in a table of its own.
    const uint8_t* at = scales + k / 16;
    const size_t scale[4] = {at[0], left > 16 ? at[1] : size_t{1}, left > 32 ? at[2] : size_t{1}, left > 48 ? at[3] : size_t{1}};
    const __m512i first = _mm512_shuffle_epi8(table(pair_of(scale[0], scale[2])), codes);
    return _mm512_mask_shuffle_epi8(first, 0xff00ff00ff00ff00u, table(pair_of(scale[1], scale[3])), codes);
  }
}

inline __m512i row_group(const uint8_t* row, size_t k, size_t columns) {
  const size_t left = columns - k;
  prefetch(row + k + kBytesAhead);
  return left >= kGroup ? _mm512_loadu_si512(row + k) : _mm512_maskz_loadu_epi8((__mmask64{1} << left) - 1, row + k);
}

inline double sum_of(__m512i high, __m512i low) {
  return static_cast<double>(_mm512_reduce_add_epi32(high)) * 256 + _mm512_reduce_add_epi32(low);
}

// One row of activations times `count` rows of weights, which `group(row, k)` gives 64 at a time.
template <typename Group>
inline void multiply_one(const Planes& a, size_t count, double* sums, double* weight_sums, Group group) {
  const __m512i ones = _mm512_set1_epi8(1);
  for (size_t i = 0; i < count; i += 2) {
    const size_t other = i + 1 < count ? i + 1 : i;
    __m512i high0 = _mm512_setzero_si512(), low0 = high0, total0 = high0, high1 = high0, low1 = high0, total1 = high0;
    for (size_t k = 0; k < a.columns; k += kGroup) {
      const __m512i high = _mm512_loadu_si512(a.high + k), low = _mm512_loadu_si512(a.low + k);
      const __m512i w0 = group(i, k), w1 = group(other, k);
      high0 = _mm512_dpbusd_epi32(high0, high, w0);
      low0 = _mm512_dpbusd_epi32(low0, low, w0);
      total0 = _mm512_dpbusd_epi32(total0, ones, w0);
      high1 = _mm512_dpbusd_epi32(high1, high, w1);
      low1 = _mm512_dpbusd_epi32(low1, low, w1);
      total1 = _mm512_dpbusd_epi32(total1, ones, w1);
    }
    sums[i] = sum_of(high0, low0);
    weight_sums[i] = _mm512_reduce_add_epi32(total0);
    sums[other] = sum_of(high1, low1);
    weight_sums[other] = _mm512_reduce_add_epi32(total1);
  }
}

// 16 rows of 16 lanes become 16 lanes of 16 rows.
inline void transpose(__m512i (&r)[16]) {
  __m512i t[16];
  for (int i = 0; i < 16; i += 2) {
    t[i] = _mm512_unpacklo_epi32(r[i], r[i + 1]);
    t[i + 1] = _mm512_unpackhi_epi32(r[i], r[i + 1]);
  }
  for (int i = 0; i < 16; i += 4) {
    r[i] = _mm512_unpacklo_epi64(t[i], t[i + 2]);
    r[i + 1] = _mm512_unpackhi_epi64(t[i], t[i + 2]);
    r[i + 2] = _mm512_unpacklo_epi64(t[i + 1], t[i + 3]);
    r[i + 3] = _mm512_unpackhi_epi64(t[i + 1], t[i + 3]);
  }
  for (int i = 0; i < 4; i++) {
    t[i] = _mm512_shuffle_i32x4(r[i], r[i + 4], 0x88);
    t[i + 4] = _mm512_shuffle_i32x4(r[i], r[i + 4], 0xdd);
    t[i + 8] = _mm512_shuffle_i32x4(r[i + 8], r[i + 12], 0x88);
    t[i + 12] = _mm512_shuffle_i32x4(r[i + 8], r[i + 12], 0xdd);
  }
  for (int i = 0; i < 4; i++) {
    r[i] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0x88);
    r[i + 8] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0xdd);
    r[i + 4] = _mm512_shuffle_i32x4(t[i + 4], t[i + 12], 0x88);
    r[i + 12] = _mm512_shuffle_i32x4(t[i + 4], t[i + 12], 0xdd);
  }
}

inline void store_sums(double* out, __m512i values) {
  _mm512_storeu_pd(out, _mm512_cvtepi32_pd(_mm512_castsi512_si256(values)));
  _mm512_storeu_pd(out + 8, _mm512_cvtepi32_pd(_mm512_extracti64x4_epi64(values, 1)));
}

// Panel [columns / 4][32][4] of rows that `group(row, k)` gives; rows past `count` are zero.
template <typename Group>
inline void pack_rows(size_t columns, size_t count, int8_t* panel, double* weight_sums, Group group) {
  const __m512i ones = _mm512_set1_epi8(1);
  __m512i totals[2] = {_mm512_setzero_si512(), _mm512_setzero_si512()};
  for (size_t k = 0; k < columns; k += kGroup) {
    for (size_t half = 0; half < 2; half++) {
      __m512i rows[16];
      for (size_t r = 0; r < 16; r++) rows[r] = half * 16 + r < count ? group(half * 16 + r, k) : _mm512_setzero_si512();
      transpose(rows);
      for (size_t j = 0; j < 16; j++) {
        totals[half] = _mm512_dpbusd_epi32(totals[half], ones, rows[j]);
        _mm512_store_si512(panel + (k / 4 + j) * (kPanelRows * 4) + half * 64, rows[j]);
      }
    }
  }
  double all[kPanelRows];
  store_sums(all, totals[0]);
  store_sums(all + 16, totals[1]);
  std::memcpy(weight_sums, all, count * sizeof(double));
}

// The same panel from columns [from, from + count) of a matrix [K, N] of bytes, taken as code - 128.
inline void pack_columns(const Operand& w, size_t from, size_t count, int8_t* panel, double* weight_sums) {
  const __mmask32 present = count == kPanelRows ? ~__mmask32{0} : (__mmask32{1} << count) - 1;
  const __m256i middle = _mm256_set1_epi8(static_cast<char>(0x80));
  const __m512i ones = _mm512_set1_epi8(1);
  __m512i totals[2] = {_mm512_setzero_si512(), _mm512_setzero_si512()};
  const size_t padded = tundish::padded_to_groups(w.columns);
  for (size_t k = 0; k < padded; k += 4) {
    __m256i line[4];
    for (size_t j = 0; j < 4; j++) {
      const __m256i bytes = k + j < w.columns ? _mm256_mask_loadu_epi8(middle, present, w.codes + (k + j) * w.rows + from) : middle;
      line[j] = _mm256_xor_si256(bytes, middle);
    }
    const __m256i even0 = _mm256_unpacklo_epi8(line[0], line[1]), even1 = _mm256_unpackhi_epi8(line[0], line[1]);
    const __m256i odd0 = _mm256_unpacklo_epi8(line[2], line[3]), odd1 = _mm256_unpackhi_epi8(line[2], line[3]);
    const __m256i a = _mm256_unpacklo_epi16(even0, odd0), b = _mm256_unpackhi_epi16(even0, odd0);
    const __m256i c = _mm256_unpacklo_epi16(even1, odd1), d = _mm256_unpackhi_epi16(even1, odd1);
    // a, b, c, d hold columns 0-3, 4-7, 8-11, 12-15 in their lower halves and 16 more in their upper halves.
    const __m512i first = _mm512_inserti64x4(_mm512_castsi256_si512(_mm256_permute2x128_si256(a, b, 0x20)), _mm256_permute2x128_si256(c, d, 0x20), 1);
    const __m512i second = _mm512_inserti64x4(_mm512_castsi256_si512(_mm256_permute2x128_si256(a, b, 0x31)), _mm256_permute2x128_si256(c, d, 0x31), 1);
    totals[0] = _mm512_dpbusd_epi32(totals[0], ones, first);
    totals[1] = _mm512_dpbusd_epi32(totals[1], ones, second);
    _mm512_store_si512(panel + k * kPanelRows, first);
    _mm512_store_si512(panel + k * kPanelRows + 64, second);
  }
  double all[kPanelRows];
  store_sums(all, totals[0]);
  store_sums(all + 16, totals[1]);
  std::memcpy(weight_sums, all, count * sizeof(double));
}

// kRows rows of activations times a panel.
template <size_t kRows>
inline void multiply_tile(const Planes& a, size_t row, const int8_t* panel, double* sums) {
  __m512i high[kRows][2], low[kRows][2];
  for (size_t m = 0; m < kRows; m++) high[m][0] = high[m][1] = low[m][0] = low[m][1] = _mm512_setzero_si512();
  const uint8_t* high_plane = a.high + row * a.stride;
  const uint8_t* low_plane = a.low + row * a.stride;
  for (size_t k = 0; k < a.stride; k += 4) {
    const __m512i w0 = _mm512_load_si512(panel + k * kPanelRows), w1 = _mm512_load_si512(panel + k * kPanelRows + 64);
    for (size_t m = 0; m < kRows; m++) {
      int32_t four;
      std::memcpy(&four, high_plane + m * a.stride + k, 4);
      const __m512i upper = _mm512_set1_epi32(four);
      std::memcpy(&four, low_plane + m * a.stride + k, 4);
      const __m512i lower = _mm512_set1_epi32(four);
      high[m][0] = _mm512_dpbusd_epi32(high[m][0], upper, w0);
      high[m][1] = _mm512_dpbusd_epi32(high[m][1], upper, w1);
      low[m][0] = _mm512_dpbusd_epi32(low[m][0], lower, w0);
      low[m][1] = _mm512_dpbusd_epi32(low[m][1], lower, w1);
    }
  }
  const __m512d shift = _mm512_set1_pd(256);
  for (size_t m = 0; m < kRows; m++) {
    for (size_t half = 0; half < 2; half++) {
      double* out = sums + (row + m) * kPanelRows + half * 16;
      _mm512_storeu_pd(out, _mm512_fmadd_pd(_mm512_cvtepi32_pd(_mm512_castsi512_si256(high[m][half])), shift, _mm512_cvtepi32_pd(_mm512_castsi512_si256(low[m][half]))));
      _mm512_storeu_pd(out + 8, _mm512_fmadd_pd(_mm512_cvtepi32_pd(_mm512_extracti64x4_epi64(high[m][half], 1)), shift, _mm512_cvtepi32_pd(_mm512_extracti64x4_epi64(low[m][half], 1))));
    }
  }
}

void multiply_panel(const Planes& a, const int8_t* panel, double* sums) {
  size_t row = 0;
  for (; row + 4 <= a.rows; row += 4) multiply_tile<4>(a, row, panel, sums);
  if (row + 2 <= a.rows) multiply_tile<2>(a, row, panel, sums), row += 2;
  if (row < a.rows) multiply_tile<1>(a, row, panel, sums);
}

template <typename Group>
inline void multiply_rows(const Planes& a, size_t count, double* sums, double* weight_sums, int8_t* panel, Group group) {
  if (a.rows == 1) return multiply_one(a, count, sums, weight_sums, group);
  pack_rows(a.columns, count, panel, weight_sums, group);
  multiply_panel(a, panel, sums);
}

template <size_t kBlock>
void multiply_blockwise(const Planes& a, const Operand& w, size_t from, size_t count, double* sums, double* weight_sums, int8_t* panel) {
  const size_t columns = w.columns, block = w.block;
  const uint8_t* nibbles = w.codes + from * (columns / 2);
  const uint8_t* scales = w.block_scale + from * (columns / block);
  multiply_rows(a, count, sums, weight_sums, panel, [=](size_t row, size_t k) {
    return blockwise_group<kBlock>(nibbles + row * (columns / 2), scales + row * (columns / block), block, k, columns);
  });
}

void multiply(const Planes& a, const Operand& w, size_t from, size_t count, double* sums, double* weight_sums, int8_t* panel) {
  switch (w.form) {
    case Form::kBlockwise:
      if (w.block == 16) return multiply_blockwise<16>(a, w, from, count, sums, weight_sums, panel);
      if (w.block == 32) return multiply_blockwise<32>(a, w, from, count, sums, weight_sums, panel);
      return multiply_blockwise<64>(a, w, from, count, sums, weight_sums, panel);
    case Form::kRows: {
      const size_t columns = w.columns;
      const uint8_t* codes = w.codes + from * columns;
      return multiply_rows(a, count, sums, weight_sums, panel, [=](size_t row, size_t k) { return row_group(codes + row * columns, k, columns); });
    }
    case Form::kColumns:
      pack_columns(w, from, count, panel, weight_sums);
      return multiply_panel(a, panel, sums);
  }
}

}  // namespace

namespace tundish {

extern constinit const ProductTable avx512vnni_products = {"avx512vnni", split, multiply, finish, finish_truncated};

}  // namespace tundish
