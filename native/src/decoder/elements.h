// Norm, rotation, gated activation and addition; ts/typescript/decoder/elements.ts is the twin.
#pragma once

#include "../kernels/lanes.h"
#include "exponential.h"
#include "table.h"

namespace {

// x[i] = step(x[i], y[i]) in place.
template <typename Step>
inline void combine(float* x, const float* y, size_t count, Step step) {
  size_t i = 0;
  for (; i + kWidth <= count; i += kWidth) store(x + i, step(load(x + i), load(y + i)));
  if (i < count) store_part(x + i, step(load_part(x + i, count - i), load_part(y + i, count - i)), count - i);
}

void add(float* x, const float* addend, size_t count) {
  combine(x, addend, count, [](Vector a, Vector b) { return a + b; });
}

void silu_multiply(float* gate, const float* up, size_t count) {
  combine(gate, up, count, [](Vector x, Vector y) { return x / (1.0f + exponential(-x)) * y; });
}

inline float sum_of_squares(const float* x, size_t columns) {
  Vector sums[kLanes / kWidth] = {};
  size_t i = 0;
  for (; i + kLanes <= columns; i += kLanes) {
    for (size_t part = 0; part < kLanes / kWidth; part++) {
      const Vector value = load(x + i + part * kWidth);
      sums[part] = fused(value, value, sums[part]);
    }
  }
  float lanes[kLanes];
  for (size_t part = 0; part < kLanes / kWidth; part++) store(lanes + part * kWidth, sums[part]);
  for (size_t lane = 0; i < columns; i++, lane++) lanes[lane] = __builtin_fmaf(x[i], x[i], lanes[lane]);
  return tree_sum(lanes);
}

void rms_norm(const float* x, const float* gain, size_t columns, float epsilon, float* out, size_t row_begin, size_t row_end) {
  for (size_t row = row_begin; row < row_end; row++) {
    const float *from = x + row * columns;
    float* to = out + row * columns;
    const float mean = sum_of_squares(from, columns) / static_cast<float>(columns);
    const float inverse = 1.0f / __builtin_sqrtf(mean + epsilon);
    for (size_t i = 0; i < columns; i++) to[i] = from[i] * inverse * gain[i];
  }
}

// (a, b) -> (a cos - b sin, a sin + b cos) for the halves of one head.
inline void rotate_head(float* first, float* second, const float* cos, const float* sin, size_t half) {
  size_t i = 0;
  for (; i + kWidth <= half; i += kWidth) {
    const Vector a = load(first + i), b = load(second + i), c = load(cos + i), s = load(sin + i);
    store(first + i, a * c - b * s);
    store(second + i, a * s + b * c);
  }
  for (; i < half; i++) {
    const float a = first[i], b = second[i];
    first[i] = a * cos[i] - b * sin[i];
    second[i] = a * sin[i] + b * cos[i];
  }
}

void rotate(const tundish::Rotation& rotation, size_t row_begin, size_t row_end) {
  const size_t half = rotation.head_dim / 2;
  for (size_t token = row_begin; token < row_end; token++) {
    for (size_t head = 0; head < rotation.heads; head++) {
      float* x = rotation.x + (token * rotation.heads + head) * rotation.head_dim;
      rotate_head(x, x + half, rotation.cos + token * half, rotation.sin + token * half, half);
    }
  }
}

}  // namespace
