// Exact widening of 16-bit floats, a look for what is not finite, differences, and the Walsh-Hadamard transform; ts/typescript/{elements,matrices}.ts are the twins.
#pragma once

#include "vector.h"

namespace {

void widen_bf16(const uint16_t* __restrict bits, size_t count, float* __restrict out) {
  for (size_t i = 0; i < count; i++) out[i] = float_of_bits(static_cast<uint32_t>(bits[i]) << 16);
}

// Multiplying by 2^112 moves the exponent bias from 15 to 127 and normalises subnormals in the same exact step.
void widen_f16(const uint16_t* __restrict bits, size_t count, float* __restrict out) {
  for (size_t i = 0; i < count; i++) {
    const uint32_t half = bits[i];
    const uint32_t magnitude = (half & 0x7fff) << 13;
    const uint32_t finite = bits_of_float(float_of_bits(magnitude) * 0x1p112f);
    const uint32_t value = (half & 0x7c00) == 0x7c00 ? magnitude | 0x7f800000u : finite;
    out[i] = float_of_bits(value | ((half & 0x8000) << 16));
  }
}

// All bits of an exponent are set in NaN and infinity alone.
bool all_finite(const float* x, size_t count) {
  uint32_t largest = 0;
  for (size_t i = 0; i < count; i++) {
    const uint32_t magnitude = bits_of_float(x[i]) & 0x7fffffff;
    largest = magnitude > largest ? magnitude : largest;
  }
  return largest < 0x7f800000u;
}

// `out` is another array, or all of a, or all of b.
void subtract(const float* a, const float* b, size_t count, float* out) {
  size_t i = 0;
  for (; i + kWidth <= count; i += kWidth) store(out + i, load(a + i) - load(b + i));
  for (; i < count; i++) out[i] = a[i] - b[i];
}

// A stage of a row: pairs at distance `half`. Distances below a vector are left to the compiler.
inline void butterflies(float* x, size_t n, size_t half) {
  for (size_t start = 0; start < n; start += 2 * half) {
    float* __restrict left = x + start;
    float* __restrict right = x + start + half;
    for (size_t i = 0; i < half; i++) {
      const float sum = left[i] + right[i];
      right[i] = left[i] - right[i];
      left[i] = sum;
    }
  }
}

void fwht(float* x, size_t n, size_t row_begin, size_t row_end) {
  for (size_t row = row_begin; row < row_end; row++) {
    for (size_t half = 1; half < n; half *= 2) butterflies(x + row * n, n, half);
  }
}

}  // namespace
