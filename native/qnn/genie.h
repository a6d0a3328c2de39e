// The vendor's own runtime for language models: a dialog over a bundle, as one object.
#pragma once

#include <napi.h>

namespace tundish::qnn {

// (library) => the version of the Genie API
Napi::Value genie_version(const Napi::CallbackInfo& info);

// (library, configuration as JSON, log level) => dialog, typed in ts/qnn/dialog.ts
Napi::Value open_dialog(const Napi::CallbackInfo& info);

}  // namespace tundish::qnn
