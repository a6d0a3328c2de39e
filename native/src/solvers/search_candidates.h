// SeqMSE of AIMET 2.42 in Gram form: each block tries parts of its own min-max range and takes the one with the smallest
// output error; of equals the smallest part. The Gram form e'Ge, G = X'X / T, is the mean over the tokens.
#pragma once

#include "block_losses.h"

namespace {

// Adds -2 q'linear to q'Gq, where q is what the error array holds.
inline void add_linear(const Vector* linear, size_t block, const Trial& trial, Vector* loss) {
  for (size_t t = 0; t < kTrials; t++) {
    Vector sum{};
    for (size_t a = 0; a < block; a++) sum = fused(linear[a], trial.error[a * kTrials + t], sum);
    loss[t] = loss[t] - (sum + sum);
  }
}

// fp32 scale of candidate c: the min-max range of the grid times (c + 1) / candidates, through AIMET's own steps.
inline float candidate_scale(Range range, size_t c, size_t candidates, int bits) {
  const float parts = static_cast<float>(candidates), taken = static_cast<float>(c + 1);
  return symmetric_scale(Range{range.min / parts * taken, range.max / parts * taken}, bits);
}

// The range of the scale that the largest candidate keeps.
inline Range largest_range(const tundish::CandidateSearch& search, size_t row, size_t j) {
  const float bound = static_cast<float>(1 << (search.bits - 1));
  const float scale = search.start != nullptr ? search.start[row * (search.k / search.block) + j]
                                              : symmetric_scale(range_with_zero(search.w + row * search.k + j * search.block, search.block), search.bits);
  return {-bound * scale, (bound - 1.0f) * scale};
}

struct CandidateRows {
  const tundish::CandidateSearch& search;
  size_t row;
  size_t rows;
  Vector* values;  // [block]
  Vector* linear;  // [block]
  Trial* trial;
};

void search_block(const CandidateRows& at, size_t j) {
  const tundish::CandidateSearch& search = at.search;
  const size_t block = search.block, blocks = search.k / block;
  const float bound = static_cast<float>(1 << (search.bits - 1));
  Range range[kWidth];
  for (size_t lane = 0; lane < at.rows; lane++) range[lane] = largest_range(search, at.row + lane, j);
  gather_block(search.w, search.k, block, j, at.row, at.rows, at.values);
  if (search.linear != nullptr) gather_block(search.linear, search.k, block, j, at.row, at.rows, at.linear);
  Vector least{}, chosen{}, kept{};
  for (size_t first = 0; first < search.candidates; first += kTrials) {
    Vector scales[kTrials], loss[kTrials];
    for (size_t t = 0; t < kTrials; t++) {
      scales[t] = broadcast(1.0f);
      for (size_t lane = 0; lane < at.rows; lane++) scales[t][lane] = candidate_scale(range[lane], first + t, search.candidates, search.bits);
    }
    try_scales(at.values, block, scales, -bound, bound - 1.0f, *at.trial);
    if (search.linear != nullptr) {
      for (size_t a = 0; a < block; a++) for (size_t t = 0; t < kTrials; t++) at.trial->error[a * kTrials + t] += at.values[a];
    }
    losses_of(search.gram, block, j, *at.trial, loss);
    if (search.linear != nullptr) add_linear(at.linear, block, *at.trial, loss);
    for (size_t t = 0; t < kTrials && first + t < search.candidates; t++) {
      const auto better = first + t == 0 ? loss[t] == loss[t] : loss[t] < least;
      least = better ? loss[t] : least;
      chosen = better ? broadcast(static_cast<float>(first + t)) : chosen;
      kept = better ? scales[t] : kept;
    }
  }
  for (size_t lane = 0; lane < at.rows; lane++) {
    search.chosen[(at.row + lane) * blocks + j] = static_cast<uint8_t>(chosen[lane]);
    search.scale[(at.row + lane) * blocks + j] = kept[lane];
  }
}

void search_candidates(const tundish::CandidateSearch& search, size_t row_begin, size_t row_end, float* memory) {
  Vector* const values = reinterpret_cast<Vector*>(memory);
  for (size_t row = row_begin; row < row_end; row += kWidth) {
    const size_t rows = row_end - row < kWidth ? row_end - row : kWidth;
    const CandidateRows at{search, row, rows, values, values + search.block, reinterpret_cast<Trial*>(values + 2 * search.block)};
    for (size_t j = 0; j < search.k / search.block; j++) search_block(at, j);
  }
}

}  // namespace
