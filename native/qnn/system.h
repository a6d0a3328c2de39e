// The System library: what is in a context binary, without a backend.
#pragma once

#include <napi.h>

#include <string>

#include "abi/binary_info.h"
#include "failure.h"

namespace tundish::qnn {

class SystemLibrary {
 public:
  explicit SystemLibrary(const std::string& path);

  const abi::SystemProvider& provider() const { return *provider_; }

  template <typename... Arguments>
  void call(const std::string& name, abi::SystemSlot slot, Arguments... arguments) const {
    const abi::Result result = reinterpret_cast<abi::Result (*)(Arguments...)>(abi::table_of(provider_)[slot])(arguments...) & 0xffff;
    if (result != 0) throw Failure(name, result, "");
  }

 private:
  const abi::SystemProvider* provider_;
};

// (library) => QnnSystem of ts/qnn/addon.ts
Napi::Value open_system(const Napi::CallbackInfo& info);

}  // namespace tundish::qnn
