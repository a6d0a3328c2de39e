// A loaded backend library, its provider, and calls by slot that throw when the library says no.
#pragma once

#include <string>

#include "abi/interface.h"
#include "failure.h"

namespace tundish::qnn {

std::string text_of(const abi::Version& version);

// Loads by absolute path. @throws Failure "load" with the words of the loader
void* load_library(const std::string& path);

// @throws Failure "load" when the library does not export it
void* exported(void* library, const char* symbol, const std::string& path);

class Library {
 public:
  explicit Library(const std::string& path);

  const abi::Provider& provider() const { return *provider_; }

  template <typename... Arguments>
  abi::Result result_of(abi::Slot slot, Arguments... arguments) const {
    const abi::Function function = abi::table_of(provider_)[slot];
    if (function == nullptr) throw Failure("slot " + std::to_string(slot), 0, "the library lacks this function");
    return reinterpret_cast<abi::Result (*)(Arguments...)>(function)(arguments...) & 0xffff;
  }

  template <typename... Arguments>
  void call(const std::string& name, abi::Slot slot, Arguments... arguments) const {
    const abi::Result result = result_of(slot, arguments...);
    if (result != 0) throw Failure(name, result, message_of(result));
  }

  // The library's own sentence about a code, or an empty text.
  std::string message_of(abi::Result result) const;

 private:
  const abi::Provider* provider_;
};

}  // namespace tundish::qnn
