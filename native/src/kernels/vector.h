// Vectors of TUNDISH_WIDTH floats for the variant that is being compiled. Everything below kernels/ has internal linkage
// and uses no inline function of the standard library: a shared copy could be compiled for a CPU that is not there.
#pragma once

#include <cstddef>
#include <cstdint>

#if defined(__AVX2__)
#include <immintrin.h>
#endif

namespace {

constexpr size_t kWidth = TUNDISH_WIDTH;

typedef float Vector __attribute__((vector_size(TUNDISH_WIDTH * 4)));
// The same vector at any address of a float array.
typedef float UnalignedVector __attribute__((vector_size(TUNDISH_WIDTH * 4), aligned(4), may_alias));

inline Vector load(const float* at) { return *reinterpret_cast<const UnalignedVector*>(at); }
inline void store(float* at, Vector value) { *reinterpret_cast<UnalignedVector*>(at) = value; }
inline Vector broadcast(float value) { return value - Vector{}; }

inline float float_of_bits(uint32_t bits) {
  float value;
  __builtin_memcpy(&value, &bits, sizeof value);
  return value;
}

inline uint32_t bits_of_float(float value) {
  uint32_t bits;
  __builtin_memcpy(&bits, &value, sizeof bits);
  return bits;
}

// a * b + c with one rounding in every lane.
inline Vector fused(Vector a, Vector b, Vector c) {
#if TUNDISH_WIDTH == 16
  return reinterpret_cast<Vector>(_mm512_fmadd_ps(reinterpret_cast<__m512>(a), reinterpret_cast<__m512>(b), reinterpret_cast<__m512>(c)));
#elif TUNDISH_WIDTH == 8
  return reinterpret_cast<Vector>(_mm256_fmadd_ps(reinterpret_cast<__m256>(a), reinterpret_cast<__m256>(b), reinterpret_cast<__m256>(c)));
#else
  for (size_t lane = 0; lane < kWidth; lane++) c[lane] = __builtin_fmaf(a[lane], b[lane], c[lane]);
  return c;
#endif
}

// Correctly rounded in every lane.
inline Vector square_root(Vector x) {
#if TUNDISH_WIDTH == 16
  return reinterpret_cast<Vector>(_mm512_sqrt_ps(reinterpret_cast<__m512>(x)));
#elif TUNDISH_WIDTH == 8
  return reinterpret_cast<Vector>(_mm256_sqrt_ps(reinterpret_cast<__m256>(x)));
#else
  for (size_t lane = 0; lane < kWidth; lane++) x[lane] = __builtin_sqrtf(x[lane]);
  return x;
#endif
}

}  // namespace
