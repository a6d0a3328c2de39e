// ONNX Runtime for JavaScript with the operators of lowered graphs: openOnnxRuntime(library) -> { version, createSession }.
#pragma once

#include <napi.h>

namespace tundish {

// The library is loaded once per process and stays; throws when it is missing or too old.
Napi::Value open_onnx_runtime(const Napi::CallbackInfo& info);

}  // namespace tundish
