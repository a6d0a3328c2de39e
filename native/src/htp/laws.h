// How a Hexagon processor computes on codes, operation by operation: what its emulator gives for known inputs, as closed laws.
// Double arithmetic of single roundings throughout, so that every machine gives the same codes.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>

#include "exponential.h"

namespace tundish::htp {

// real = (code - zero) * scale.
struct Grid {
  double scale;
  double zero;
};

constexpr double kLog2E = 1.4426950408889634;

template <typename Code>
Code saturated(double code) {
  constexpr double largest = sizeof(Code) == 1 ? 255 : 65535;
  return static_cast<Code>(static_cast<int32_t>(code < 0 ? 0 : code > largest ? largest : code));
}

// a + b or a - b: both scales become integers under one power of two, the larger one of 15 bits.
struct Sum {
  double a_weight, b_weight, step, a_zero, b_zero, y_zero;

  Sum(Grid a, Grid b, Grid y, double sign) : a_zero(a.zero), b_zero(b.zero), y_zero(y.zero) {
    const double a_ratio = a.scale / y.scale, b_ratio = b.scale / y.scale;
    int exponent = 0;
    (void)std::frexp(a_ratio > b_ratio ? a_ratio : b_ratio, &exponent);
    a_weight = __builtin_rint(std::ldexp(a_ratio, 15 - exponent));
    b_weight = sign * __builtin_rint(std::ldexp(b_ratio, 15 - exponent));
    step = std::ldexp(1.0, exponent - 15);
  }

  uint16_t operator()(uint16_t a, uint16_t b) const {
    return saturated<uint16_t>(__builtin_floor(((a - a_zero) * a_weight + (b - b_zero) * b_weight) * step + 0.5) + y_zero);
  }
};

// a * b, rounded half to even. Where b is symmetric, as cosines and sines are, the zero point of a is worth a whole number of
// eighths of a code, and the result is beside its place by what that leaves.
struct Product {
  double factor, offset, a_zero, b_zero, y_zero;

  Product(Grid a, Grid b, Grid y) : factor(a.scale * b.scale / y.scale), offset(0), a_zero(a.zero), b_zero(b.zero), y_zero(y.zero) {
    if (b.zero != 32768) return;
    const double worth = (a.zero - 32768) * factor;
    offset = __builtin_rint(worth * 8) / 8 - worth;
  }

  uint16_t operator()(uint16_t a, uint16_t b) const {
    return saturated<uint16_t>(__builtin_rint((a - a_zero) * (b - b_zero) * factor + offset) + y_zero);
  }
};

// What becomes of each product of a rotation before its sum is rounded to a code: nothing, or an eighth of a code.
enum class Eighths { none, cut, rounded };

// Which kernel the processor takes, by the shape of x [rows, columns].
inline Eighths eighths_of(size_t rows, size_t columns) {
  if (columns % 64 == 0) return rows < 4 ? Eighths::cut : Eighths::none;
  return rows * columns < 64 ? Eighths::none : Eighths::rounded;
}

// A row of (x1, x2) -> (x1 cos - x2 sin, x1 sin + x2 cos), `half` columns each. Where there are eighths, what the zero point of x
// is worth is a whole number of them, for each product and for the sum.
struct Rotary {
  double cos_factor, sin_factor, cos_offset, sin_offset, first_offset, second_offset, x_zero, cos_zero, sin_zero, y_zero;

  Rotary(Grid x, Grid cos, Grid sin, Grid y)
      : cos_factor(8 * static_cast<double>(static_cast<float>(x.scale * cos.scale / y.scale))),
        sin_factor(8 * static_cast<double>(static_cast<float>(x.scale * sin.scale / y.scale))),
        x_zero(x.zero), cos_zero(cos.zero), sin_zero(sin.zero), y_zero(y.zero) {
    const double cos_worth = cos.zero == 32768 ? (x.zero - 32768) * cos_factor : 0, sin_worth = sin.zero == 32768 ? (x.zero - 32768) * sin_factor : 0;
    const double cos_whole = __builtin_rint(cos_worth), sin_whole = __builtin_rint(sin_worth);
    cos_offset = cos_whole - cos_worth;
    sin_offset = sin_whole - sin_worth;
    first_offset = 4 + __builtin_rint(cos_worth - sin_worth) - (cos_whole - sin_whole);
    second_offset = 4 + __builtin_rint(cos_worth + sin_worth) - (cos_whole + sin_whole);
  }

  void operator()(const uint16_t* x, const uint16_t* cos, const uint16_t* sin, size_t half, Eighths eighths, uint16_t* y) const {
    const double up = eighths == Eighths::rounded ? 0.5 : 0;
    for (size_t i = 0; i < half; i++) {
      const double x1 = x[i] - x_zero, x2 = x[half + i] - x_zero, c = (cos[i] - cos_zero) * cos_factor, s = (sin[i] - sin_zero) * sin_factor;
      const bool whole = eighths == Eighths::none;
      const double first = whole ? __builtin_rint((x1 * c - x2 * s) / 8) : __builtin_floor((eighth(x1 * c, cos_offset + up) - eighth(x2 * s, sin_offset + up) + first_offset) / 8);
      const double second = whole ? __builtin_rint((x1 * s + x2 * c) / 8) : __builtin_floor((eighth(x1 * s, sin_offset + up) + eighth(x2 * c, cos_offset + up) + second_offset) / 8);
      y[i] = saturated<uint16_t>(first + y_zero);
      y[half + i] = saturated<uint16_t>(second + y_zero);
    }
  }

  static double eighth(double product, double offset) { return __builtin_floor(product + offset); }
};

// Another grid of 16 bits, rounded half to even.
struct Convert {
  double factor, x_zero, y_zero;

  Convert(Grid x, Grid y) : factor(x.scale / y.scale), x_zero(x.zero), y_zero(y.zero) {}

  uint16_t operator()(uint16_t x) const { return saturated<uint16_t>(__builtin_rint((x - x_zero) * factor) + y_zero); }
};

// A grid of 8 bits: a code that is one step of x below the middle goes up already.
struct Narrow {
  double factor, x_zero, y_zero;

  Narrow(Grid x, Grid y) : factor(x.scale / y.scale), x_zero(x.zero), y_zero(y.zero) {}

  uint8_t operator()(uint16_t x) const { return saturated<uint8_t>(__builtin_floor((x - x_zero + 1) * factor + 0.5) + y_zero); }
};

// On the grid 1/65536, whatever grid it is told, in even codes.
struct Sigmoid {
  double exponent, x_zero;

  explicit Sigmoid(Grid x) : exponent(x.scale * kLog2E), x_zero(x.zero) {}

  uint16_t operator()(uint16_t x) const {
    const double distance = (x - x_zero) * exponent;
    const double fixed = __builtin_floor(std::ldexp(distance < 0 ? -distance : distance, kFractionBits));
    const double whole = __builtin_floor(std::ldexp(fixed, -kFractionBits));
    const double part = fixed - std::ldexp(whole, kFractionBits);
    // Beyond 2^-40 nothing is left of 16 bits.
    const double small = whole > 40 ? 0 : std::ldexp(power_of_half(static_cast<uint32_t>(part)), -static_cast<int>(whole));
    return saturated<uint16_t>(2 * __builtin_floor(32768 * ((distance < 0 ? small : 1) / (1 + small))));
  }
};

// A row of x / sqrt(mean(x^2) + epsilon) * gain, rounded down.
inline void rms_norm(const uint16_t* x, const float* gain, size_t columns, Grid from, Grid to, double epsilon, uint16_t* y) {
  double squares = 0;
  for (size_t i = 0; i < columns; i++) squares += (x[i] - from.zero) * (x[i] - from.zero);
  const double root = std::sqrt(squares / static_cast<double>(columns) * from.scale * from.scale + epsilon);
  const double factor = from.scale / root / to.scale;
  for (size_t i = 0; i < columns; i++) y[i] = saturated<uint16_t>(__builtin_floor((x[i] - from.zero) * static_cast<double>(gain[i]) * factor) + to.zero);
}

// A row of softmax on the grid 1/65535. `step` = floor(scale of x * log2(e) * 2^22); exponentials lose what is below 2^-15, and
// shares of their sum what is below 2^-16. `exponentials` holds one number a column.
inline void softmax(const uint16_t* x, size_t columns, uint64_t step, uint32_t* exponentials, uint16_t* y) {
  uint16_t largest = 0;
  for (size_t i = 0; i < columns; i++) largest = x[i] > largest ? x[i] : largest;
  uint64_t sum = 0;
  for (size_t i = 0; i < columns; i++) {
    const uint64_t distance = step * static_cast<uint64_t>(largest - x[i]), whole = distance >> kFractionBits;
    const uint32_t part = static_cast<uint32_t>(distance) & ((1u << kFractionBits) - 1);
    exponentials[i] = whole > 15 ? 0 : static_cast<uint32_t>(power_of_half(part) * static_cast<double>(1u << (15 - whole)));
    sum += exponentials[i];
  }
  for (size_t i = 0; i < columns; i++) {
    const uint64_t share = (static_cast<uint64_t>(exponentials[i]) << 16) / sum;
    y[i] = static_cast<uint16_t>(share > 65535 ? 65535 : share);
  }
}

}  // namespace tundish::htp
