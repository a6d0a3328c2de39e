// A backend with its device and contexts, as the object that JavaScript holds.
#pragma once

#include <napi.h>

namespace tundish::qnn {

// (library, logLevel) => QnnBackend of ts/qnn/addon.ts
Napi::Value open_backend(const Napi::CallbackInfo& info);

}  // namespace tundish::qnn
