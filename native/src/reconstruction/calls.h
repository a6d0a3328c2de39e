// The steps of learned weights for JavaScript, bound to one variant.
#pragma once

#include <napi.h>

#include "table.h"

namespace tundish {

// An object with the functions of RawReconstruction in ts/reconstruction.ts.
Napi::Object bind_reconstruction(Napi::Env env, const ReconstructionTable& table);

}  // namespace tundish
