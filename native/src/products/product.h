// Exact products of integer codes: 16-bit activations times 4-bit blockwise or 8-bit weights, or times an 8-bit cache.
//
// A weight of LPBQ is an integer already: its code in [-8, 7] times the integer 1..16 of its block fits into 8 bits. So
// every product here is a sum of integers, which no order, thread count or instruction set can change; it is rounded once,
// when it meets its scale.
#pragma once

#include <cstddef>
#include <cstdint>

namespace tundish {

// Weight rows (columns of a cache) that are computed together.
constexpr size_t kPanelRows = 32;
// Planes are padded to this many columns.
constexpr size_t kGroup = 64;
// Sums of 8-bit products with more columns could leave 32 bits.
constexpr size_t kMaxColumns = 65536;

// `static`: a copy of these in each file, since one for all could be compiled for a CPU that is not there.
static constexpr size_t padded_to_groups(size_t columns) { return (columns + kGroup - 1) / kGroup * kGroup; }

// Blocks that the variants can read: 16, 32 or a multiple of 64 columns, and whole ones.
static constexpr bool is_readable_block(size_t block, size_t columns) {
  return (block == 16 || block == 32 || (block > 0 && block % 64 == 0)) && columns % block == 0;
}

// How the second operand lies in memory. K counts the summed positions.
enum class Form {
  // Nibbles code + 8 [N, K/2], low half first, and integers 1..16 [N, K/block].
  kBlockwise,
  // int8 [N, K].
  kRows,
  // uint8 [K, N]; taken as code - 128.
  kColumns,
};

struct Operand {
  Form form;
  const uint8_t* codes;
  const uint8_t* block_scale;
  size_t block;
  size_t rows;
  size_t columns;
};

// Activation codes [rows, columns] as two planes of bytes, [rows, stride] each. For `kBlockwise` every 64 columns are
// stored as the 32 even ones and then the 32 odd ones, the order in which nibbles come out of their bytes.
struct Planes {
  const uint8_t* high;
  const uint8_t* low;
  size_t rows;
  size_t columns;
  size_t stride;
};

// What turns sums into codes: sum over k of (a - a_zero)(b - b_zero), times `factor` and the scale of the channel, on the
// grid of the output.
struct Finish {
  double a_zero;
  double b_zero;
  double columns;
  double factor;
  float scale;
  float zero_point;
};

// How a Hexagon processor turns sums into codes, as its emulator shows: sum and correction lose their low bits, the sum by
// floor(sum / unit), the correction by floor(correction / unit + 1/2); code = floor(difference * multiplier + rounding) + zero_point.
struct Truncation {
  double unit;
  double multiplier[kPanelRows];
  double rounding[kPanelRows];
};

struct ProductTable {
  const char* isa;
  // One row of codes into its planes, padded with zeros to a multiple of kGroup. Returns the sum of the codes.
  uint64_t (*split)(const uint16_t* codes, size_t columns, bool paired, uint8_t* high, uint8_t* low);
  // sums[m * kPanelRows + i] = sum over k of a[m][k] * w[from + i][k] for i < count <= kPanelRows, and
  // weight_sums[i] = sum over k of w[from + i][k]. `panel` holds kPanelRows * stride bytes, 64-byte aligned.
  void (*multiply)(const Planes& a, const Operand& w, size_t from, size_t count, double* sums, double* weight_sums, int8_t* panel);
  // Codes of `count` outputs of one row, whose activation codes sum to `a_sum`; `channel_scale` may be null.
  void (*finish)(const double* sums, const double* weight_sums, const Finish& to, double a_sum, const float* channel_scale, size_t count, uint16_t* codes);
  // As `finish`, by `Truncation`.
  void (*finish_truncated)(const double* sums, const double* weight_sums, const Finish& to, double a_sum, const Truncation& truncation, size_t count, uint16_t* codes);
};

// Best first; never empty.
const ProductTable& best_products();
const ProductTable* find_products(const char* isa);

extern const ProductTable portable_products;
#if defined(__x86_64__)
extern const ProductTable avx2_products;
extern const ProductTable avx512vnni_products;
#endif

}  // namespace tundish
