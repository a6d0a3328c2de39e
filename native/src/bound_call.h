// What calls from JavaScript share: a table behind every function, refusals, and how fine work is cut between threads.
#pragma once

#include <napi.h>

#include <algorithm>
#include <new>
#include <type_traits>

namespace tundish {

// Elements below which a thread of its own costs more than it brings.
inline constexpr size_t kElementGrain = 1 << 16;

inline size_t row_grain(size_t row_elements) { return std::max<size_t>(1, kElementGrain / std::max<size_t>(1, row_elements)); }

inline void require(const Napi::CallbackInfo& info, bool holds, const char* why) {
  if (!holds) throw Napi::RangeError::New(info.Env(), why);
}

// A call takes (info, table) and gives a Napi::Value or nothing.
template <typename Table, auto call>
Napi::Value enter(const Napi::CallbackInfo& info) {
  const Table& table = *static_cast<const Table*>(info.Data());
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

// Gives `target` a function that calls `call` with `table`.
template <typename Table, auto call>
void bind(Napi::Object& target, const char* name, const Table& table) {
  target.Set(name, Napi::Function::New<enter<Table, call>>(target.Env(), name, const_cast<Table*>(&table)));
}

}  // namespace tundish
