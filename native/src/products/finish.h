// From exact sums to codes of the output grid. Included by every variant; internal linkage.
#pragma once

#include "product.h"

namespace {

// real = sum * factor, rounded to float32 once; code = saturate(roundHalfEven(real / scale) + zero_point), as QuantizeLinear.
inline uint16_t code_of(double sum, double factor, float scale, float zero_point) {
  const float real = static_cast<float>(sum * factor);
  float code = __builtin_rintf(real / scale) + zero_point;
  code = code < 0.0f ? 0.0f : code;
  code = code > 65535.0f ? 65535.0f : code;
  return static_cast<uint16_t>(static_cast<int32_t>(code));
}

void finish(const double* sums, const double* weight_sums, const tundish::Finish& to, double a_sum, const float* channel_scale, size_t count, uint16_t* codes) {
  const double shift = -to.b_zero * (a_sum - to.columns * to.a_zero);
  if (channel_scale == nullptr) {
    for (size_t i = 0; i < count; i++) codes[i] = code_of(sums[i] - to.a_zero * weight_sums[i] + shift, to.factor, to.scale, to.zero_point);
    return;
  }
  for (size_t i = 0; i < count; i++) {
    codes[i] = code_of(sums[i] - to.a_zero * weight_sums[i] + shift, to.factor * static_cast<double>(channel_scale[i]), to.scale, to.zero_point);
  }
}

void finish_truncated(const double* sums, const double* weight_sums, const tundish::Finish& to, double a_sum, const tundish::Truncation& by, size_t count, uint16_t* codes) {
  const double shift = -to.b_zero * (a_sum - to.columns * to.a_zero);
  const double inverse = 1 / by.unit;
  for (size_t i = 0; i < count; i++) {
    const double correction = __builtin_floor((to.a_zero * weight_sums[i] - shift) * inverse + 0.5);
    const double whole = __builtin_floor(sums[i] * inverse) - correction;
    double code = __builtin_floor(whole * by.multiplier[i] + by.rounding[i]) + static_cast<double>(to.zero_point);
    code = code < 0.0 ? 0.0 : code;
    code = code > 65535.0 ? 65535.0 : code;
    codes[i] = static_cast<uint16_t>(static_cast<int32_t>(code));
  }
}

}  // namespace
