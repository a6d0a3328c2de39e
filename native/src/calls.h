// The functions of the addon, each bound to one variant of the kernels.
#pragma once

#include <napi.h>

#include "kernels/table.h"

namespace tundish {

// An object with the functions of RawKernels in ts/kernels.ts.
Napi::Object bind_kernels(Napi::Env env, const KernelTable& table);

}  // namespace tundish
