// AdaScale: values, gradients of its parameters and their steps of Adam in one pass over a weight;
// ts/typescript/reconstruction/ada-scale.ts is the twin.
#pragma once

#include "../decoder/exponential.h"
#include "grid_steps.h"

namespace {

using tundish::AdamStep;
using tundish::AdaScaleParameters;
using tundish::LearnedWeight;

// Parameters stay in -kBound..kBound, so that no exponential leaves e^-1..e.
constexpr float kBound = 1.0f;

// Value and moments of parameters `count` apart.
inline void adam(float* parameter, size_t count, size_t some, Vector gradient, float rate, float root) {
  Vector m = load_some(parameter + count, some), v = load_some(parameter + 2 * count, some);
  m = m + 0.1f * (gradient - m);
  v = v * 0.999f + 0.001f * (gradient * gradient);
  const Vector next = load_some(parameter, some) - rate * (m / (square_root(v) / root + 1e-8f));
  store_some(parameter, clamp(next, -kBound, kBound), some);
  store_some(parameter + count, m, some);
  store_some(parameter + 2 * count, v, some);
}

void ada_scale_grid(const AdaScaleParameters& parameters, size_t count, float steps, float* scale, size_t begin, size_t end) {
  const Vector floor = broadcast(kScaleFloor);
  for (size_t i = begin; i < end; i += kWidth) {
    const size_t some = end - i;
    const Vector low = exponential(load_some(parameters.beta + i, some)) * load_some(parameters.range + i, some);
    const Vector high = exponential(load_some(parameters.gamma + i, some)) * load_some(parameters.range + count + i, some);
    const Vector size = (high - low) / steps;
    store_some(scale + i, size > floor ? size : floor, some);
  }
}

inline Vector row_factor(const AdaScaleParameters& parameters, size_t row) { return exponential(broadcast(parameters.s3[row])); }

void ada_scale_values(const LearnedWeight& weight, const AdaScaleParameters& parameters, bool folded, float* out, size_t row_begin, size_t row_end) {
  for (size_t row = row_begin; row < row_end; row++) {
    const Vector factor = row_factor(parameters, row);
    for (size_t block = row * weight.blocks(); block < (row + 1) * weight.blocks(); block++) {
      const Vector scale = broadcast(weight.scale[block]);
      const size_t end = (block + 1) * weight.block;
      for (size_t i = block * weight.block; i < end; i += kWidth) {
        const Vector learned = load_some(weight.w + i, end - i) / exponential(load_some(parameters.s2 + i, end - i)) / factor;
        store_some(out + i, folded ? learned : round_to_codes(learned / scale, weight.low, weight.high) * scale, end - i);
      }
    }
  }
}

// Moves s2 of a block. Gives the block's part of the gradient of s3; `slope` receives the gradient of the scale.
inline float step_block(const LearnedWeight& weight, const AdaScaleParameters& parameters, const float* gradient, const AdamStep& step, size_t block, Vector factor, float* slope) {
  const Vector scale = broadcast(weight.scale[block]), zero = {};
  LaneSums scale_sums, row_sums;
  for (size_t column = 0; column < weight.block; column += kWidth) {
    const size_t i = block * weight.block + column, some = weight.block - column;
    const Vector learned = load_some(weight.w + i, some) / exponential(load_some(parameters.s2 + i, some)) / factor, dw = load_some(gradient + i, some);
    const Vector position = learned / scale, code = round_to_codes(position, weight.low, weight.high);
    const auto inside = is_inside(position, weight.low, weight.high);
    const Vector own = inside ? -(dw * learned) : zero;
    scale_sums.at(column) = fused(dw, inside ? code - position : code, scale_sums.at(column));
    row_sums.at(column) += own;
    adam(parameters.s2 + i, weight.rows * weight.k, some, own, step.weight_rate, step.root);
  }
  *slope = scale_sums.total();
  return row_sums.total();
}

void ada_scale_step(const LearnedWeight& weight, const AdaScaleParameters& parameters, const float* gradient, const AdamStep& step, float* slope, size_t row_begin, size_t row_end) {
  const size_t blocks = weight.blocks(), count = weight.rows * blocks;
  for (size_t row = row_begin; row < row_end; row++) {
    const Vector factor = row_factor(parameters, row);
    float sum = 0.0f;
    for (size_t block = row * blocks; block < (row + 1) * blocks; block++) sum += step_block(weight, parameters, gradient, step, block, factor, slope + block);
    adam(parameters.s3 + row, weight.rows, 1, broadcast(sum), step.weight_rate, step.root);
  }
  const float steps = weight.high - weight.low;
  for (size_t i = row_begin * blocks; i < row_end * blocks; i += kWidth) {
    const size_t some = row_end * blocks - i;
    const Vector up = load_some(slope + i, some);
    const Vector low = exponential(load_some(parameters.beta + i, some)) * load_some(parameters.range + i, some);
    const Vector high = exponential(load_some(parameters.gamma + i, some)) * load_some(parameters.range + count + i, some);
    adam(parameters.beta + i, count, some, -(up * low) / steps, step.range_rate, step.root);
    adam(parameters.gamma + i, count, some, up * high / steps, step.range_rate, step.root);
  }
}

}  // namespace
