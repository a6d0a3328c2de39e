// Deep learning containers: whether the System library reads one, and its graphs composed into a context.
#pragma once

#include <napi.h>

#include <string>

#include "abi/interface.h"

namespace tundish::qnn {

// Names, inputs and outputs of the graphs that were composed.
Napi::Value compose_dlc(Napi::Env env, const std::string& system, const std::string& dlc, const abi::Provider& provider, abi::Handle backend, abi::Handle context);

}  // namespace tundish::qnn
