// The operators of domain `tundish` that lowered graphs use.
#pragma once

#include "api.h"

namespace tundish::onnx {

// CodeLinear(x uint16 [..., M, K], codes, scale float32 [N] or [N, 1], block_scale uint8 [N, K/B]?) -> uint16 [..., M, N]
//   codes: uint8 [N, K/2], nibbles code + 8 and low half first, with block_scale; int8 [N, K] without.
//   y = (x - x_zero) (codes * block_scale)^T, times x_scale and scale, on the grid y_scale, y_zero.
// CodeMatMul(a uint16 [..., G, M, K], b uint8 or uint16 [..., 1, K, N]) -> uint16 [..., G, M, N]
//   y = (a - x_zero) (b - w_zero), times x_scale and w_scale, on the grid y_scale, y_zero.
// Sums are exact; see products/product.h.

// The domain with both operators; it lives as long as the process. Throws what the library says.
CustomOpDomain* create_domain(const Api& api);

}  // namespace tundish::onnx
