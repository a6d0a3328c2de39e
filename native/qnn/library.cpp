#include "library.h"

#include <dlfcn.h>

namespace tundish::qnn {

std::string text_of(const abi::Version& version) { return std::to_string(version.major) + "." + std::to_string(version.minor) + "." + std::to_string(version.patch); }

void* load_library(const std::string& path) {
  // Never closed: threads of a library may outlive every handle.
  void* handle = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) throw Failure("load", 0, ::dlerror());
  return handle;
}

void* exported(void* library, const char* symbol, const std::string& path) {
  void* found = ::dlsym(library, symbol);
  if (found == nullptr) throw Failure("load", 0, path + " does not export " + symbol);
  return found;
}

Library::Library(const std::string& path) {
  const auto get = reinterpret_cast<abi::GetProviders>(exported(load_library(path), "QnnInterface_getProviders", path));
  const abi::Provider** providers = nullptr;
  uint32_t count = 0;
  if (get(&providers, &count) != 0 || count == 0 || providers == nullptr) throw Failure("providers", 0, path + " offers no interface");
  provider_ = providers[0];
  const abi::Version& core = provider_->api.core;
  // The table has had these slots in these builds; of others nobody knows.
  if (core.major != 2 || abi::interface_bytes(core.minor) == 0) throw Failure("version", 0, path + " has core API " + text_of(core) + "; known are 2.36, 2.38 and 2.40");
}

std::string Library::message_of(abi::Result result) const {
  const char* message = nullptr;
  if (abi::table_of(provider_)[abi::kErrorGetMessage] == nullptr || result_of(abi::kErrorGetMessage, result, &message) != 0 || message == nullptr) return "";
  return message;
}

}  // namespace tundish::qnn
