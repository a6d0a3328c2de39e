// The operators by which a lowered graph computes as a Hexagon processor does; src/htp/laws.h says how.
#pragma once

#include "api.h"

namespace tundish::onnx {

// HtpLinear, HtpMatMul: as CodeLinear and CodeMatMul, but sums lose low bits before they meet their scale.
// HtpAdd, HtpSub, HtpMul(a uint16, b uint16) -> uint16, broadcast; attributes a_, b_, y_scale and _zero.
// HtpRotary(x uint16 [..., AR, D], cos, sin uint16 [..., AR, D/2]) -> uint16: halves turned by one table for all that is in front;
//   attributes x_, cos_, sin_, y_scale and _zero.
// HtpConvert(x uint16) -> uint16, HtpNarrow(x uint16) -> uint8: another grid; attributes x_, y_scale and _zero.
// HtpSigmoid(x uint16) -> uint16 on 1/65536; HtpSoftmax(x uint16) -> uint16 on 1/65535, last axis; attributes x_scale, x_zero.
// HtpRmsNorm(x uint16 [..., C], gain float32 [C]) -> uint16; attributes x_, y_scale and _zero, epsilon.

// Adds the operators that compute element by element or row by row; products are in operators.cpp.
void add_htp_operators(const Api& api, CustomOpDomain* domain);

}  // namespace tundish::onnx
