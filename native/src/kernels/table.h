// The entry points of one instruction-set variant. Each works on a range of rows or elements, so that a caller may split
// the work between threads; results never depend on the split.
#pragma once

#include <cstddef>
#include <cstdint>

namespace tundish {

struct Range {
  float min;
  float max;
};

// fp32 [n, k] -> packed codes [n, k/2], integers [n, k/block], channel scales [n].
struct LpbqArrays {
  const float* w;
  size_t k;
  size_t block;
  uint8_t* codes;
  uint8_t* block_scale;
  float* channel_scale;
};

struct LpbqWeight {
  const uint8_t* codes;
  const uint8_t* block_scale;
  const float* channel_scale;
  size_t k;
  size_t block;
};

// Which elements of a square product (m = n) are wanted; those of register tiles across the diagonal may be written too.
enum class Part : uint8_t { kAll, kLower, kUpper };

// The steps of the chain that makes an element of a product.
enum class Chain : uint8_t {
  kSum,         // fma(a, b, chain) over ascending k
  kDifference,  // fma(-a, b, chain) over ascending k
  kDescendingDifference,
  kInt16Sum,  // one step for 128 of k, whose products are summed as integers; see int16_panels.h
  kInt8Sum,   // one step for kCodedSteps of k, with the codes of a CodedWeight; see int8_panels.h
};

// Steps of a row that share a scale where rows meet codes.
constexpr size_t kCodedSteps = 32;

// Codes in [-8, 7] [n, k] times scales [n, k / block]; block is a multiple of kCodedSteps and divides k.
struct CodedWeight {
  const int8_t* codes;
  const float* scale;
  size_t block;
};

// out [m, n] = a [m, k] times b [k, n], row-major. Every element of out is one chain of fused multiply-adds, which starts
// from +0, or from the element itself when `accumulate` is set. Neither a nor b may overlap out.
struct MatrixProduct {
  const float* a;
  const float* b;
  float* out;
  size_t m;
  size_t n;
  size_t k;
  // Elements from one stored row to the next.
  size_t lda;
  size_t ldb;
  size_t ldo;
  // a is stored [k, m], b is stored [n, k].
  bool transpose_a = false;
  bool transpose_b = false;
  bool accumulate = false;
  Chain chain = Chain::kSum;
  Part part = Part::kAll;
  // Stands for b, stored [n, k], where the chain is kInt8Sum.
  const CodedWeight* coded = nullptr;
};

// In place, rows of b [., n] <- x with x * Lᵀ = b, or with `descending` x * L = b, where L [n, n] is the lower triangle of l:
//   x[j] = (b[j] - sum over p < j of x[p] * l[j][p]) / l[j][j], a chain over ascending p, or
//   x[j] = (b[j] - sum over p > j of x[p] * l[p][j]) / l[j][j], a chain over descending p.
struct TriangularSystem {
  const float* l;
  size_t ldl;
  float* b;
  size_t ldb;
  size_t n;
  bool descending;
};

// Rows [row_begin, row_end) and columns [column_begin, column_end) of a product.
struct Tile {
  size_t row_begin;
  size_t row_end;
  size_t column_begin;
  size_t column_end;
};

struct KernelTable {
  const char* isa;
  // The variant of the solvers and of the steps of a decoder block that goes with this one.
  const char* family;

  void (*quantize_lpbq)(const LpbqArrays& arrays, size_t row_begin, size_t row_end);
  void (*dequantize_lpbq)(const LpbqWeight& weight, float* out, size_t row_begin, size_t row_end);
  void (*quantize_per_channel)(const float* w, size_t k, int bits, int8_t* codes, float* scale, size_t row_begin, size_t row_end);
  void (*dequantize_per_channel)(const int8_t* codes, const float* scale, size_t k, float* out, size_t row_begin, size_t row_end);

  // zero_point is one of the codes.
  void (*quantize_on_grid8)(const float* w, size_t count, float scale, float zero_point, uint8_t* codes);
  void (*quantize_on_grid16)(const float* w, size_t count, float scale, float zero_point, uint16_t* codes);

  // NaN is ignored; without a number the result is {+inf, -inf}.
  Range (*min_max)(const float* x, size_t count);
  // Neither NaN nor infinity is among the elements.
  bool (*all_finite)(const float* x, size_t count);
  void (*widen_bf16)(const uint16_t* bits, size_t count, float* out);
  void (*widen_f16)(const uint16_t* bits, size_t count, float* out);
  void (*subtract)(const float* a, const float* b, size_t count, float* out);

  // Blocks [begin, end) of kCodedSteps elements as integers and scales; see int8_panels.h.
  void (*round_blocks)(const float* x, int8_t* codes, float* scale, size_t begin, size_t end);
  // One tile of a product. `scratch` holds sgemm_scratch floats, 64-byte aligned, and belongs to one thread.
  void (*sgemm)(const MatrixProduct& product, const Tile& tile, float* scratch);
  size_t sgemm_scratch;
  // Rows [row_begin, row_end) of b; n is at most solve_limit. `scratch` is that of sgemm.
  void (*solve_triangle)(const TriangularSystem& system, size_t row_begin, size_t row_end, float* scratch);
  size_t solve_limit;
  // Lower triangle of a [n, n] <- L with L * Lᵀ = a, n at most factor_limit; see algebra/cholesky.h. Returns n, or the index
  // of the first pivot that is not positive and finite.
  size_t (*factor_triangle)(float* a, size_t lda, size_t n);
  size_t factor_limit;
  // Multiples at which rows and columns are cut between threads without wasting part of a register tile.
  size_t sgemm_rows;
  size_t sgemm_columns;

  void (*fwht)(float* x, size_t n, size_t row_begin, size_t row_end);
};

extern const KernelTable portable_kernels;
#if defined(__x86_64__)
extern const KernelTable avx2_kernels;
extern const KernelTable avx512_kernels;
extern const KernelTable avx512vnni_kernels;
#endif

}  // namespace tundish
