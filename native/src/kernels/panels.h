// Copies parts of matrices into panels, the order in which the register tile of sgemm.h reads them: depth-major, `width`
// elements a step, missing ones zero.
#pragma once

#include "vector.h"

namespace {

constexpr size_t smaller(size_t a, size_t b) { return a < b ? a : b; }

typedef int32_t Lanes __attribute__((vector_size(TUNDISH_WIDTH * 4)));

// Takes lane i of a, or lane i - kWidth of b, for every i in `from`.
inline Vector shuffle(Vector a, Vector b, Lanes from) {
#if defined(__clang__)
  Vector result{};
  for (size_t lane = 0; lane < kWidth; lane++) result[lane] = from[lane] < static_cast<int32_t>(kWidth) ? a[from[lane]] : b[from[lane] - kWidth];
  return result;
#else
  return __builtin_shuffle(a, b, from);
#endif
}

// Exchanges the off-diagonal quarters of a square of 2 * half rows and lanes, in every such square on the way.
template <size_t half, size_t rows>
inline void transpose_quarters(Vector* x) {
  Lanes upper{}, lower{};
#pragma GCC unroll 16
  for (size_t lane = 0; lane < kWidth; lane++) {
    const bool left = (lane & half) == 0;
    upper[lane] = static_cast<int32_t>(left ? lane : kWidth + lane - half);
    lower[lane] = static_cast<int32_t>(left ? lane + half : kWidth + lane);
  }
#pragma GCC unroll 16
  for (size_t i = 0; i < rows; i++) {
    if ((i & half) != 0) continue;
    const Vector a = x[i], b = x[i + half];
    x[i] = shuffle(a, b, upper);
    x[i + half] = shuffle(a, b, lower);
  }
}

// Squares of `rows` rows and lanes, as many as lie beside each other in a vector.
template <size_t rows = kWidth>
inline void transpose(Vector* x) {
  if constexpr (rows > 8) transpose_quarters<8, rows>(x);
  if constexpr (rows > 4) transpose_quarters<4, rows>(x);
  transpose_quarters<2, rows>(x);
  transpose_quarters<1, rows>(x);
}

// Rows of `depth` elements -> columns [0, min(kWidth, width)) of a panel, last element first when `reversed`. The store of
// a step may reach kWidth elements over its end; what is there is written afterwards.
template <size_t width>
inline void pack_rows(const float* from, size_t stride, size_t rows, size_t depth, float sign, bool reversed, float* panel) {
  size_t p = 0;
  for (; p + kWidth <= depth; p += kWidth) {
    const float* source = from + (reversed ? depth - kWidth - p : p);
    Vector x[kWidth];
#pragma GCC unroll 16
    for (size_t i = 0; i < kWidth; i++) x[i] = i < rows ? load(source + i * stride) : Vector{};
    transpose(x);
#pragma GCC unroll 16
    for (size_t i = 0; i < kWidth; i++) store(panel + (p + i) * width, (reversed ? x[kWidth - 1 - i] : x[i]) * broadcast(sign));
  }
  for (; p < depth; p++) {
    const float* source = from + (reversed ? depth - 1 - p : p);
    for (size_t i = 0; i < (width < kWidth ? width : kWidth); i++) panel[p * width + i] = i < rows ? sign * source[i * stride] : 0.0f;
  }
}

// The way back, of kWidth columns of a panel.
template <size_t width>
inline void unpack_rows(const float* panel, size_t depth, bool reversed, float* to, size_t stride, size_t rows) {
  size_t p = 0;
  for (; p + kWidth <= depth; p += kWidth) {
    Vector x[kWidth];
#pragma GCC unroll 16
    for (size_t i = 0; i < kWidth; i++) x[reversed ? kWidth - 1 - i : i] = load(panel + (p + i) * width);
    transpose(x);
    float* target = to + (reversed ? depth - kWidth - p : p);
#pragma GCC unroll 16
    for (size_t i = 0; i < kWidth; i++) {
      if (i < rows) store(target + i * stride, x[i]);
    }
  }
  for (; p < depth; p++) {
    for (size_t i = 0; i < rows; i++) to[i * stride + (reversed ? depth - 1 - p : p)] = panel[p * width + i];
  }
}

// Columns of `depth` rows, `stride` elements apart (less than 0 for the last row first) -> panels, one behind the other.
// Every row is read as a whole: rows that are a power of two apart share too few lines of the cache to come back to them.
template <size_t width>
inline void pack_columns(const float* from, ptrdiff_t stride, size_t columns, size_t depth, float sign, float* panels) {
  for (size_t p = 0; p < depth; p++) {
    const float* source = from + static_cast<ptrdiff_t>(p) * stride;
    float* to = panels + p * width;
    size_t column = 0;
    for (; column + width <= columns; column += width, to += width * depth) {
      for (size_t i = 0; i < width; i++) to[i] = sign * source[column + i];
    }
    if (column == columns) continue;
    for (size_t i = 0; i < width; i++) to[i] = column + i < columns ? sign * source[column + i] : 0.0f;
  }
}

}  // namespace
