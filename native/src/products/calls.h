// The sums of the products for JavaScript, with a variant of choice.
#pragma once

#include <napi.h>

namespace tundish {

// multiplyCodes(isa, form, x, rows, codes, blockScale, block, outputs, columns) -> Float64Array [rows + 1, outputs]: the sums
// of products of codes, and in the last row the sums of the weights. Throws TypeError or RangeError for arrays and sizes that do not go together.
Napi::Value multiply_codes(const Napi::CallbackInfo& info);

// Names of the variants that this machine can run, best first.
Napi::Array product_variants(Napi::Env env);

}  // namespace tundish
