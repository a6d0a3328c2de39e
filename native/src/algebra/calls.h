// The algebra of the addon, bound to one variant of the kernels.
#pragma once

#include <napi.h>

#include "../kernels/table.h"

namespace tundish {

// An object with the functions of RawAlgebra in ts/algebra.ts.
Napi::Object bind_algebra(Napi::Env env, const KernelTable& table);

}  // namespace tundish
