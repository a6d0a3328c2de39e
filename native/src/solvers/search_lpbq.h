// Searches the final grid of LPBQ: for each channel a few channel scales, and under each the best integer of every block.
// Min-max (numerics of AIMET 2.42) is always one of the candidates, so the result is never worse under the given weights.
#pragma once

#include "block_losses.h"

namespace {

constexpr size_t kIntegers = 16;
// Of the integer that min-max asks for: the smallest that is tried.
constexpr float kLeastPart = 0.56f;

inline size_t search_memory(size_t k) { return 4 * k * kWidth + kLargestBlock * (kTrials + 1) * kWidth; }

// A solution for a vector of rows: the channel scale, an integer for each block, and what it costs.
struct LpbqSolution {
  Vector channel;
  Vector* integers;
  Vector loss;
};

struct LpbqRows {
  const tundish::LpbqSearch& search;
  size_t row;
  size_t rows;
  Vector* values;   // [k]
  Vector* min_max;  // [k / block]: float scales of the blocks
  Trial* trial;

  size_t blocks() const { return search.k / search.block; }
};

// The best of the kTrials integers about the one that min-max asks for, and its loss; of equals the smallest. They reach from
// about half of it to beyond it: what lies outside clips or wastes too much to be the best under any weights of interest.
inline void best_integer(const LpbqRows& at, size_t j, Vector channel, Vector& integer, Vector& least) {
  const Vector first = clamp_round(at.min_max[j] / channel * kLeastPart, 1.0f, static_cast<float>(kIntegers - kTrials + 1));
  Vector scales[kTrials], loss[kTrials];
  for (size_t t = 0; t < kTrials; t++) scales[t] = channel * (first + static_cast<float>(t));
  try_scales(at.values + j * at.search.block, at.search.block, scales, -8.0f, 7.0f, *at.trial);
  losses_of(at.search.gram, at.search.block, j, *at.trial, loss);
  integer = first;
  least = loss[0];
  for (size_t t = 1; t < kTrials; t++) {
    const auto better = loss[t] < least;
    least = better ? loss[t] : least;
    integer = better ? first + static_cast<float>(t) : integer;
  }
}

inline Vector loss_of_integers(const LpbqRows& at, size_t j, Vector channel, Vector integer) {
  Vector scales[kTrials], loss[kTrials];
  for (size_t t = 0; t < kTrials; t++) scales[t] = channel * integer;
  try_scales(at.values + j * at.search.block, at.search.block, scales, -8.0f, 7.0f, *at.trial);
  losses_of(at.search.gram, at.search.block, j, *at.trial, loss);
  return loss[0];
}

// What AIMET's min-max chooses; the loss too.
void solve_min_max(const LpbqRows& at, LpbqSolution& solution) {
  const tundish::LpbqSearch& search = at.search;
  Vector largest{};
  for (size_t j = 0; j < at.blocks(); j++) {
    Vector scale = broadcast(1.0f);
    for (size_t lane = 0; lane < at.rows; lane++) {
      scale[lane] = symmetric_scale(range_with_zero(search.w + (at.row + lane) * search.k + j * search.block, search.block), 4);
    }
    at.min_max[j] = scale;
    largest = scale > largest ? scale : largest;
  }
  solution.channel = largest / 16.0f;
  solution.loss = Vector{};
  for (size_t j = 0; j < at.blocks(); j++) {
    solution.integers[j] = clamp_round(at.min_max[j] / solution.channel, 1.0f, 16.0f);
    solution.loss += loss_of_integers(at, j, solution.channel, solution.integers[j]);
  }
}

inline bool all_equal(Vector values, float wanted) {
  for (size_t lane = 0; lane < kWidth; lane++) {
    if (values[lane] != wanted) return false;
  }
  return true;
}

// The best integers under a channel scale. Where the largest is below 16 they are scaled up until it is 16, which readers
// that derive the channel scale from the largest block scale rely on; then the other integers are searched once more.
void solve_channel(const LpbqRows& at, Vector channel, LpbqSolution& solution) {
  Vector largest{};
  solution.channel = channel;
  solution.loss = Vector{};
  for (size_t j = 0; j < at.blocks(); j++) {
    Vector loss{};
    best_integer(at, j, channel, solution.integers[j], loss);
    solution.loss += loss;
    largest = solution.integers[j] > largest ? solution.integers[j] : largest;
  }
  if (all_equal(largest, 16.0f)) return;
  // Lanes that had 16 find the same once more.
  const Vector full = broadcast(16.0f);
  solution.channel = largest < full ? channel * largest / 16.0f : channel;
  solution.loss = Vector{};
  for (size_t j = 0; j < at.blocks(); j++) {
    Vector integer{}, loss{};
    best_integer(at, j, solution.channel, integer, loss);
    const auto is_largest = solution.integers[j] == largest;
    solution.integers[j] = is_largest ? full : integer;
    solution.loss += loss_of_integers(at, j, solution.channel, solution.integers[j]);
  }
}

inline void keep_better(const LpbqSolution& found, size_t blocks, LpbqSolution& best) {
  const auto better = found.loss < best.loss;
  best.channel = better ? found.channel : best.channel;
  best.loss = better ? found.loss : best.loss;
  for (size_t j = 0; j < blocks; j++) best.integers[j] = better ? found.integers[j] : best.integers[j];
}

void search_lpbq(const tundish::LpbqSearch& search, size_t row_begin, size_t row_end, float* memory) {
  const size_t blocks = search.k / search.block;
  Vector* const values = reinterpret_cast<Vector*>(memory);
  for (size_t row = row_begin; row < row_end; row += kWidth) {
    const size_t rows = row_end - row < kWidth ? row_end - row : kWidth;
    const LpbqRows at{search, row, rows, values, values + 3 * search.k, reinterpret_cast<Trial*>(values + 4 * search.k)};
    for (size_t j = 0; j < blocks; j++) gather_block(search.w, search.k, search.block, j, row, rows, values + j * search.block);
    LpbqSolution best{{}, values + search.k, {}}, found{{}, values + 2 * search.k, {}};
    solve_min_max(at, best);
    const Vector start = best.channel;
    for (size_t f = 0; f < search.factor_count; f++) {
      solve_channel(at, start * search.factors[f], found);
      keep_better(found, blocks, best);
    }
    for (size_t lane = 0; lane < rows; lane++) {
      search.channel_scale[row + lane] = best.channel[lane];
      for (size_t j = 0; j < blocks; j++) search.block_scale[(row + lane) * blocks + j] = static_cast<uint8_t>(best.integers[j][lane]);
    }
  }
}

}  // namespace
