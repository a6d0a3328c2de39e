// The steps of a decoder block for JavaScript, bound to one variant.
#pragma once

#include <napi.h>

#include "table.h"

namespace tundish {

// An object with the functions of RawDecoderKernels in ts/decoder-kernels.ts.
Napi::Object bind_decoder(Napi::Env env, const DecoderTable& table);

}  // namespace tundish
