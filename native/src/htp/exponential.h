// 2^-x for fixed-point x, by one defined chain of operations: no library function, whose last bits differ between machines.
#pragma once

#include <cstdint>

namespace tundish::htp {

// Bits of x behind the point.
constexpr int kFractionBits = 22;

// 2^-(fraction / 2^kFractionBits) in (0.5, 1], for fraction < 2^kFractionBits; within a few units of its last place.
double power_of_half(uint32_t fraction);

}  // namespace tundish::htp
