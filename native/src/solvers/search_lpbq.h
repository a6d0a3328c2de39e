// Searches the final grid of LPBQ: for each channel a few channel scales, and under each the best integer of every block.
// Min-max (numerics of AIMET 2.42) is always one of the candidates, so the result is never worse under the given weights.
#pragma once

#include "block_losses.h"

namespace {

constexpr size_t kIntegers = 16;

inline size_t search_memory(size_t k) { return 3 * k * kWidth + kLargestBlock * (kTrials + 1) * kWidth; }

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
  Vector* values;  // [k]
  Trial* trial;

  size_t blocks() const { return search.k / search.block; }
};

// The best integer of block j under `channel` and its loss; of equals the smallest.
inline void best_integer(const LpbqRows& at, size_t j, Vector channel, Vector& integer, Vector& least) {
  for (size_t first = 1; first <= kIntegers; first += kTrials) {
    Vector scales[kTrials], loss[kTrials];
    for (size_t t = 0; t < kTrials; t++) scales[t] = channel * static_cast<float>(first + t);
    try_scales(at.values + j * at.search.block, at.search.block, scales, -8.0f, 7.0f, *at.trial);
    losses_of(at.search.gram, at.search.block, j, *at.trial, loss);
    for (size_t t = 0; t < kTrials; t++) {
      const auto better = first + t == 1 ? loss[t] == loss[t] : loss[t] < least;
      least = better ? loss[t] : least;
      integer = better ? broadcast(static_cast<float>(first + t)) : integer;
    }
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
    solution.integers[j] = scale;
    largest = scale > largest ? scale : largest;
  }
  solution.channel = largest / 16.0f;
  solution.loss = Vector{};
  for (size_t j = 0; j < at.blocks(); j++) {
    solution.integers[j] = clamp_round(solution.integers[j] / solution.channel, 1.0f, 16.0f);
    solution.loss += loss_of_integers(at, j, solution.channel, solution.integers[j]);
  }
}

// The best integers under a channel scale. Scaled up afterwards so that the largest is 16, which readers that derive the
// channel scale from the largest block scale rely on; then the other integers are searched once more.
void solve_channel(const LpbqRows& at, Vector channel, LpbqSolution& solution) {
  Vector largest{};
  for (size_t j = 0; j < at.blocks(); j++) {
    Vector loss{};
    best_integer(at, j, channel, solution.integers[j], loss);
    largest = solution.integers[j] > largest ? solution.integers[j] : largest;
  }
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
    const LpbqRows at{search, row, rows, values, reinterpret_cast<Trial*>(values + 3 * search.k)};
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
