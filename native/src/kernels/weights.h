// Weight quantization over ranges of rows; ts/typescript/weights.ts is the twin.
#pragma once

#include "ranges.h"

namespace {

// Codes are rounded a slice at a time before their nibbles are packed; even, so that bytes never straddle slices.
constexpr size_t kSlice = 256;

inline void pack_nibbles(const uint8_t* __restrict codes, size_t count, uint8_t* __restrict packed) {
  for (size_t i = 0; i < count / 2; i++) packed[i] = static_cast<uint8_t>(codes[2 * i] | (codes[2 * i + 1] << 4));
}

inline void quantize_block(const float* w, size_t count, float scale, uint8_t* packed) {
  uint8_t codes[kSlice];
  for (size_t start = 0; start < count; start += kSlice) {
    const size_t size = count - start < kSlice ? count - start : kSlice;
    round_codes(w + start, size, scale, -8.0f, 7.0f, 8.0f, codes);
    pack_nibbles(codes, size, packed + start / 2);
  }
}

// g = fp32(max S / 16), i = clamp(rint(S / g), 1, 16). Scales are computed twice, so that a row needs no scratch.
void quantize_lpbq(const tundish::LpbqArrays& arrays, size_t row_begin, size_t row_end) {
  const size_t blocks = arrays.k / arrays.block;
  for (size_t row = row_begin; row < row_end; row++) {
    const float* w = arrays.w + row * arrays.k;
    float largest = 0.0f;
    for (size_t j = 0; j < blocks; j++) {
      const float scale = symmetric_scale(range_with_zero(w + j * arrays.block, arrays.block), 4);
      if (scale > largest) largest = scale;
    }
    const float g = largest / 16.0f;
    arrays.channel_scale[row] = g;
    for (size_t j = 0; j < blocks; j++) {
      const float* block = w + j * arrays.block;
      const float integer = clamp_round(symmetric_scale(range_with_zero(block, arrays.block), 4) / g, 1.0f, 16.0f);
      arrays.block_scale[row * blocks + j] = static_cast<uint8_t>(integer);
      quantize_block(block, arrays.block, g * integer, arrays.codes + (row * arrays.k + j * arrays.block) / 2);
    }
  }
}

void dequantize_lpbq(const tundish::LpbqWeight& weight, float* out, size_t row_begin, size_t row_end) {
  const size_t blocks = weight.k / weight.block;
  for (size_t block = row_begin * blocks; block < row_end * blocks; block++) {
    const float scale = static_cast<float>(weight.block_scale[block]) * weight.channel_scale[block / blocks];
    const uint8_t* __restrict packed = weight.codes + block * weight.block / 2;
    float* __restrict values = out + block * weight.block;
    for (size_t i = 0; i < weight.block / 2; i++) {
      values[2 * i] = static_cast<float>((packed[i] & 15) - 8) * scale;
      values[2 * i + 1] = static_cast<float>((packed[i] >> 4) - 8) * scale;
    }
  }
}

void quantize_per_channel(const float* w, size_t k, int bits, int8_t* codes, float* scale, size_t row_begin, size_t row_end) {
  const float bound = static_cast<float>(1 << (bits - 1));
  for (size_t row = row_begin; row < row_end; row++) {
    scale[row] = symmetric_scale(range_with_zero(w + row * k, k), bits);
    round_codes(w + row * k, k, scale[row], -bound, bound - 1.0f, 0.0f, codes + row * k);
  }
}

void dequantize_per_channel(const int8_t* codes, const float* scale, size_t k, float* out, size_t row_begin, size_t row_end) {
  for (size_t row = row_begin; row < row_end; row++) {
    const float s = scale[row];
    const int8_t* __restrict from = codes + row * k;
    float* __restrict to = out + row * k;
    for (size_t i = 0; i < k; i++) to[i] = static_cast<float>(from[i]) * s;
  }
}

void quantize_on_grid8(const float* w, size_t count, float scale, float zero_point, uint8_t* codes) {
  round_codes(w, count, scale, -zero_point, 255.0f - zero_point, zero_point, codes);
}

void quantize_on_grid16(const float* w, size_t count, float scale, float zero_point, uint16_t* codes) {
  round_codes(w, count, scale, -zero_point, 65535.0f - zero_point, zero_point, codes);
}

}  // namespace
