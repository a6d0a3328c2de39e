// Gradients of gated activation and causal softmax; ts/typescript/decoder/gradients.ts is the twin.
#pragma once

#include "../kernels/lanes.h"
#include "exponential.h"
#include "table.h"

namespace {

// From a, b and the gradient of silu(a) b to the gradients of a and b, in their places.
void silu_multiply_backward(float* gate, float* up, const float* gradient, size_t count) {
  for (size_t i = 0; i < count; i += kWidth) {
    const size_t some = count - i;
    const Vector a = load_some(gate + i, some), b = load_some(up + i, some), dz = load_some(gradient + i, some);
    const Vector gated = 1.0f / (1.0f + exponential(-a));
    store_some(gate + i, dz * b * (gated * (1.0f + a * (1.0f - gated))), some);
    store_some(up + i, dz * (a * gated), some);
  }
}

inline float largest_of(const float* x, size_t count) {
  float largest = x[0];
  for (size_t i = 1; i < count; i++) largest = x[i] > largest ? x[i] : largest;
  return largest;
}

// Row i: scores of tokens 0..i become probabilities p, and the gradient of p that of the scores: scale p (dp - sum p dp).
void causal_softmax_backward(float* scores, float* gradient, size_t tokens, float scale, size_t row_begin, size_t row_end) {
  for (size_t row = row_begin; row < row_end; row++) {
    float *p = scores + row * tokens, *dp = gradient + row * tokens;
    const size_t seen = row + 1;
    for (size_t i = 0; i < seen; i++) p[i] *= scale;
    const Vector largest = broadcast(largest_of(p, seen));
    // Lanes behind the last score are exp(-inf) = 0, which changes no sum.
    const Vector nothing = broadcast(-__builtin_inff());
    LaneSums sums;
    for (size_t i = 0; i < seen; i += kWidth) {
      Vector score = nothing;
      if (seen - i < kWidth) for (size_t lane = 0; lane < seen - i; lane++) score[lane] = p[i + lane];
      else score = load(p + i);
      const Vector value = exponential(score - largest);
      store_some(p + i, value, seen - i);
      sums.at(i) += value;
    }
    const Vector sum = broadcast(sums.total());
    LaneSums products;
    for (size_t i = 0; i < seen; i += kWidth) {
      const Vector value = load_some(p + i, seen - i) / sum;
      store_some(p + i, value, seen - i);
      products.at(i) = fused(value, load_some(dp + i, seen - i), products.at(i));
    }
    const Vector mean = broadcast(products.total()), factor = broadcast(scale);
    for (size_t i = 0; i < seen; i += kWidth) {
      store_some(dp + i, load_some(p + i, seen - i) * (load_some(dp + i, seen - i) - mean) * factor, seen - i);
    }
    for (size_t i = seen; i < tokens; i++) p[i] = dp[i] = 0.0f;
  }
}

}  // namespace
