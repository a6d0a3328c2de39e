// Rounding to bfloat16 as the products of rounded inputs do it, in registers and into memory.
#pragma once

#include "vector.h"

namespace {

typedef uint32_t Words __attribute__((vector_size(TUNDISH_WIDTH * 4)));

// The bits of an fp32 number, or of a vector of them -> those of the nearest bfloat16 with 16 zeros behind it.
// Without comparisons, whose results are not the same in the two.
template <typename Bits>
inline Bits narrow(Bits bits) {
  constexpr uint32_t kSmallest = 0x23800000;  // 2^-56
  constexpr uint32_t kInfinity = 0x7f800000;
  const Bits magnitude = bits & 0x7fffffff;
  const Bits below_smallest = Bits{} - ((magnitude - kSmallest) >> 31), above_infinity = Bits{} - ((kInfinity - magnitude) >> 31);
  const Bits rounded = bits + 0x7fffu + ((bits >> 16) & 1);
  return ((rounded & ~above_infinity) | (above_infinity & 0x7fc00000)) & ~below_smallest & 0xffff0000;
}

// The upper halves of those bits.
void narrow_bf16(const float* __restrict x, size_t count, uint16_t* __restrict out) {
  for (size_t i = 0; i < count; i++) out[i] = static_cast<uint16_t>(narrow(bits_of_float(x[i])) >> 16);
}

}  // namespace
