// SignRound: rounding offsets that move by the sign of their gradient; ts/typescript/reconstruction/sign-round.ts is the twin.
#pragma once

#include "grid_steps.h"

namespace {

void sign_round_values(const tundish::LearnedWeight& weight, const float* v, float* out, size_t row_begin, size_t row_end) {
  for (size_t block = row_begin * weight.blocks(); block < row_end * weight.blocks(); block++) {
    const Vector scale = broadcast(weight.scale[block]);
    const size_t end = (block + 1) * weight.block;
    for (size_t i = block * weight.block; i < end; i += kWidth) {
      const Vector position = load_some(weight.w + i, end - i) / scale + load_some(v + i, end - i);
      store_some(out + i, round_to_codes(position, weight.low, weight.high) * scale, end - i);
    }
  }
}

void sign_round_step(const tundish::LearnedWeight& weight, const float* gradient, float rate, float* v, size_t row_begin, size_t row_end) {
  const Vector zero = {}, forward = broadcast(rate);
  for (size_t block = row_begin * weight.blocks(); block < row_end * weight.blocks(); block++) {
    const Vector scale = broadcast(weight.scale[block]);
    const size_t end = (block + 1) * weight.block;
    for (size_t i = block * weight.block; i < end; i += kWidth) {
      const Vector offset = load_some(v + i, end - i), dw = load_some(gradient + i, end - i);
      const auto inside = is_inside(load_some(weight.w + i, end - i) / scale + offset, weight.low, weight.high);
      const Vector move = dw > zero ? forward : dw < zero ? -forward : zero;
      store_some(v + i, inside ? clamp(offset - move, -0.5f, 0.5f) : offset, end - i);
    }
  }
}

}  // namespace
