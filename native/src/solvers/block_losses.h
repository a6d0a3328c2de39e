// What rounding a block costs on given scales, for several scales and a vector of rows at once.
#pragma once

#include "panel.h"

namespace {

// Scales tried at once: independent chains that hide the latency of one.
constexpr size_t kTrials = 8;
// Columns of a block that a search of scales holds.
constexpr size_t kLargestBlock = 256;

// Errors of a block on kTrials scales: [block][kTrials].
struct Trial {
  Vector error[kLargestBlock * kTrials];
};

// loss_t = e_t' G e_t, the lower triangle of a symmetric G taken twice, rows ascending.
inline void gram_losses(const float* gram, size_t block, const Trial& trial, Vector* loss) {
  for (size_t t = 0; t < kTrials; t++) loss[t] = Vector{};
  for (size_t a = 0; a < block; a++) {
    Vector sum[kTrials] = {};
    for (size_t b = 0; b < a; b++) {
      const Vector weight = broadcast(gram[a * block + b]);
#pragma GCC unroll 8
      for (size_t t = 0; t < kTrials; t++) sum[t] = fused(weight, trial.error[b * kTrials + t], sum[t]);
    }
    const Vector diagonal = broadcast(gram[a * block + a]);
#pragma GCC unroll 8
    for (size_t t = 0; t < kTrials; t++) {
      const Vector error = trial.error[a * kTrials + t];
      loss[t] = fused(error, fused(diagonal, error, sum[t] + sum[t]), loss[t]);
    }
  }
}

inline void square_losses(const float* weights, size_t block, const Trial& trial, Vector* loss) {
  for (size_t t = 0; t < kTrials; t++) loss[t] = Vector{};
  for (size_t a = 0; a < block; a++) {
    for (size_t t = 0; t < kTrials; t++) {
      const Vector error = trial.error[a * kTrials + t];
      loss[t] = fused(weights == nullptr ? error : broadcast(weights[a]) * error, error, loss[t]);
    }
  }
}

// Of block j, in the form of the Gram matrix that is at hand.
inline void losses_of(const tundish::BlockGram& gram, size_t block, size_t j, const Trial& trial, Vector* loss) {
  if (gram.form == tundish::GramForm::kBlocks) gram_losses(gram.values + j * block * block, block, trial, loss);
  else square_losses(gram.form == tundish::GramForm::kDiagonal ? gram.values + j * block : nullptr, block, trial, loss);
}

// A block of rows as [block][1 vector]; lanes behind the last row are zero.
inline void gather_block(const float* w, size_t k, size_t block, size_t j, size_t row, size_t rows, Vector* values) {
  for (size_t a = 0; a < block; a++) {
    for (size_t lane = 0; lane < kWidth; lane++) values[a][lane] = lane < rows ? w[(row + lane) * k + j * block + a] : 0.0f;
  }
}

inline void try_scales(const Vector* values, size_t block, const Vector* scales, float low, float high, Trial& trial) {
  for (size_t a = 0; a < block; a++) {
    for (size_t t = 0; t < kTrials; t++) trial.error[a * kTrials + t] = clamp_round(values[a] / scales[t], low, high) * scales[t] - values[a];
  }
}

}  // namespace
