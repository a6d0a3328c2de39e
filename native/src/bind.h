// Makes functions of a variant callable from JavaScript, and refuses arguments that do not go together.
#pragma once

#include <napi.h>

#include <new>
#include <type_traits>

#include "kernels/table.h"

namespace tundish {

inline void require(const Napi::CallbackInfo& info, bool holds, const char* why) {
  if (!holds) throw Napi::RangeError::New(info.Env(), why);
}

template <auto call>
Napi::Value enter(const Napi::CallbackInfo& info) {
  const KernelTable& table = *static_cast<const KernelTable*>(info.Data());
  try {
    if constexpr (std::is_void_v<decltype(call(info, table))>) {
      call(info, table);
      return info.Env().Undefined();
    } else {
      return call(info, table);
    }
  } catch (const std::bad_alloc&) {
    throw Napi::Error::New(info.Env(), "out of memory");
  }
}

// A call takes (info, table) and gives a Napi::Value or nothing.
template <auto call>
void bind(Napi::Object& target, const char* name, const KernelTable& table) {
  target.Set(name, Napi::Function::New<enter<call>>(target.Env(), name, const_cast<KernelTable*>(&table)));
}

}  // namespace tundish
