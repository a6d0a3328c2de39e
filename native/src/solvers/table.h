// The entry points of the quantization solvers, one table for each instruction set. Rows of a weight are independent, so
// a caller may split them between threads; results never depend on the split.
#pragma once

#include <cstddef>
#include <cstdint>

#include "../kernels/table.h"

namespace tundish {

// Integer codes low..high with one scale for each row and each `block` columns: scale [rows, k / block].
struct Grid {
  const float* scale;
  size_t block;
  float low;
  float high;
};

// Weights that are rounded column by column in `order`, each column told of the errors before it.
struct FeedbackProblem {
  const float* w;         // [rows, k]
  const float* feedback;  // [k, k]: element (s, t), s < t, is what a unit error of step s adds to the target of step t
  const float* residual;  // [k, k] or null: the same for the target itself, before it is rounded (GPTAQ)
  const uint32_t* order;  // [k]: the column of each step
  bool from_target;       // errors count from the moved target (GPTQ's recursion), not from the weight
  size_t k;
  Grid grid;
  int8_t* codes;  // [rows, k]
};

// Codes that are moved one at a time to the minimum of tr((Q - T) H (Q - T)').
struct DescentProblem {
  const float* target;  // [rows, k]
  const float* gram;    // [k, k], symmetric
  size_t k;
  Grid grid;
  int8_t* codes;  // [rows, k]
  size_t sweeps;
};

enum class GramForm { kIdentity, kDiagonal, kBlocks };

// What a search of block scales weighs errors with: nothing, [k], or [k / block][block][block].
struct BlockGram {
  GramForm form;
  const float* values;
};

struct LpbqSearch {
  const float* w;  // [rows, k]
  size_t k;
  size_t block;
  BlockGram gram;
  const float* factors;  // of the channel scale that min-max would choose
  size_t factor_count;
  uint8_t* block_scale;  // [rows, k / block]
  float* channel_scale;  // [rows]
};

struct CandidateSearch {
  const float* w;  // [rows, k]
  size_t k;
  size_t block;
  int bits;
  BlockGram gram;
  const float* linear;  // [rows, k] or null: loss q'Gq - 2 q'linear in place of (q - w)'G(q - w)
  const float* start;  // [rows, k / block] scales that the largest candidate keeps, or null: those of min-max
  size_t candidates;
  uint8_t* chosen;  // [rows, k / block]: candidate c takes (c + 1) / candidates of the range
  float* scale;     // [rows, k / block]
};

struct SolverTable {
  const KernelTable* kernels;

  void (*round_to_grid)(const float* w, size_t k, const Grid& grid, int8_t* codes, size_t row_begin, size_t row_end);
  void (*round_with_feedback)(const FeedbackProblem& problem, size_t row_begin, size_t row_end, float* memory);
  void (*descend)(const DescentProblem& problem, size_t row_begin, size_t row_end, float* memory);
  // loss [rows], float64: e H e' of each row of e [rows, k].
  void (*row_losses)(const float* e, const float* gram, size_t k, double* loss, size_t row_begin, size_t row_end, float* memory);
  void (*search_lpbq)(const LpbqSearch& search, size_t row_begin, size_t row_end, float* memory);
  void (*search_candidates)(const CandidateSearch& search, size_t row_begin, size_t row_end, float* memory);

  // Floats of memory, 64-byte aligned, that a thread needs for weights of k columns.
  size_t (*panel_memory)(size_t k);
  // Rows at which work is cut between threads without wasting lanes.
  size_t row_grain;
};

extern const SolverTable portable_solvers;
#if defined(__x86_64__)
extern const SolverTable avx2_solvers;
extern const SolverTable avx512_solvers;
#endif

}  // namespace tundish
