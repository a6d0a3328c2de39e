// Products for x86-64 with AVX2: rows of weights become int8 once, and meet each row of activations in sums of 16-bit pairs.
#include <immintrin.h>

#include "finish.h"
#include "row_products.h"

namespace {

// 64 nibbles from column `k` on in the order of the planes; the caller keeps whole groups.
inline void expand_group(const uint8_t* nibbles, const uint8_t* scales, size_t block, size_t k, int8_t* out) {
  const auto integer = [&](size_t column) { return (scales[(k + column) / block] - 1) & 15; };
  const auto table = [](size_t first, size_t second) { return _mm256_load_si256(reinterpret_cast<const __m256i*>(kBlockTable.products[first * 16 + second])); };
  const __m256i mask = _mm256_set1_epi8(15);
  const __m256i bytes = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(nibbles + k / 2));
  const __m256i low = _mm256_and_si256(bytes, mask), high = _mm256_and_si256(_mm256_srli_epi16(bytes, 4), mask);
  const __m256i first = table(integer(0), integer(32));
  __m256i even = _mm256_shuffle_epi8(first, low), odd = _mm256_shuffle_epi8(first, high);
  if (block == 16) {
    // Two blocks lie in 16 bytes: the upper eight have a table of their own.
    const __m256i second = table(integer(16), integer(48));
    even = _mm256_blend_epi32(even, _mm256_shuffle_epi8(second, low), 0xcc);
    odd = _mm256_blend_epi32(odd, _mm256_shuffle_epi8(second, high), 0xcc);
  }
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + k), even);
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + k + kGroup / 2), odd);
}

void expand_fast(const Operand& w, size_t row, size_t padded, int8_t* out) {
  const size_t whole = w.columns / kGroup * kGroup;
  if (w.form != Form::kBlockwise || whole != padded) return expand(w, row, padded, out);
  const uint8_t* nibbles = w.codes + row * (w.columns / 2);
  const uint8_t* scales = w.block_scale + row * (w.columns / w.block);
  for (size_t k = 0; k < whole; k += kGroup) expand_group(nibbles, scales, w.block, k, out);
}

inline int64_t sum_of(__m256i lanes) {
  alignas(32) int32_t all[8];
  _mm256_store_si256(reinterpret_cast<__m256i*>(all), lanes);
  int64_t sum = 0;
  for (const int32_t lane : all) sum += lane;
  return sum;
}

inline __m256i bytes16(const uint8_t* at) { return _mm256_cvtepu8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(at))); }
inline __m256i integers16(const int8_t* at) { return _mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(at))); }

void multiply_fast(const Planes& a, const Operand& w, size_t from, size_t count, double* sums, double* weight_sums, int8_t* row) {
  const __m256i ones = _mm256_set1_epi16(1);
  for (size_t i = 0; i < count; i++) {
    expand_fast(w, from + i, a.stride, row);
    __m256i total = _mm256_setzero_si256();
    for (size_t k = 0; k < a.stride; k += 16) total = _mm256_add_epi32(total, _mm256_madd_epi16(integers16(row + k), ones));
    weight_sums[i] = static_cast<double>(sum_of(total));
    for (size_t m = 0; m < a.rows; m++) {
      const uint8_t *high = a.high + m * a.stride, *low = a.low + m * a.stride;
      __m256i upper = _mm256_setzero_si256(), lower = _mm256_setzero_si256();
      for (size_t k = 0; k < a.stride; k += 16) {
        const __m256i weights = integers16(row + k);
        upper = _mm256_add_epi32(upper, _mm256_madd_epi16(bytes16(high + k), weights));
        lower = _mm256_add_epi32(lower, _mm256_madd_epi16(bytes16(low + k), weights));
      }
      sums[m * kPanelRows + i] = static_cast<double>(sum_of(upper)) * 256 + static_cast<double>(sum_of(lower));
    }
  }
}

}  // namespace

namespace tundish {

extern constinit const ProductTable avx2_products = {"avx2", split, multiply_fast, finish, finish_truncated};

}  // namespace tundish
