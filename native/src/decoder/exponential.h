// exp in fp32 as one defined chain of operations; ts/typescript/decoder/exponential.ts is the twin and says where it is from.
#pragma once

#include "../kernels/vector.h"

namespace {

typedef int32_t IntegerVector __attribute__((vector_size(TUNDISH_WIDTH * 4)));
typedef uint32_t BitVector __attribute__((vector_size(TUNDISH_WIDTH * 4)));

// 2^n for n in the range of normal exponents.
inline Vector power_of_two(IntegerVector n) { return reinterpret_cast<Vector>((reinterpret_cast<BitVector>(n) + 127u) << 23); }

// Within 2 ulp, subnormal results and infinity included; NaN stays NaN.
inline Vector exponential(Vector x) {
  const Vector lowest = broadcast(-104.0f), highest = broadcast(89.0f), magic = broadcast(0x1.8p23f);
  x = x < lowest ? lowest : x;
  x = x > highest ? highest : x;
  const Vector shifted = fused(x, broadcast(0x1.715476p0f), magic);
  const Vector n = shifted - magic;
  const Vector r = fused(-n, broadcast(-0x1.05c61p-29f), fused(-n, broadcast(0x1.62e43p-1f), x));
  Vector p = broadcast(1.9875691500e-4f);
  p = fused(p, r, broadcast(1.3981999507e-3f));
  p = fused(p, r, broadcast(8.3334519073e-3f));
  p = fused(p, r, broadcast(4.1665795894e-2f));
  p = fused(p, r, broadcast(1.6666665459e-1f));
  p = fused(p, r, broadcast(5.0000001201e-1f));
  p = 1.0f + fused(p, r * r, r);
  // 2^n in two factors: the first product is exact, the second rounds once where the result is subnormal.
  const IntegerVector power = reinterpret_cast<IntegerVector>(reinterpret_cast<BitVector>(shifted) - reinterpret_cast<BitVector>(magic));
  const IntegerVector half = power >> 1;
  return p * power_of_two(half) * power_of_two(power - half);
}

}  // namespace
