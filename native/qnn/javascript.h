// Between JavaScript's plain objects and C++: fields by name, functions of objects, failures as Errors.
#pragma once

#include <napi.h>

#include <string>
#include <vector>

#include "failure.h"

namespace tundish::qnn {

// Rethrows a failure as an Error with `call` and `result`, the code of the library.
template <typename F>
auto in_javascript(Napi::Env env, F work) {
  try {
    return work();
  } catch (const Napi::Error&) {
    throw;
  } catch (const Failure& failure) {
    Napi::Error error = Napi::Error::New(env, failure.what());
    error.Set("call", failure.call());
    error.Set("result", static_cast<double>(failure.code()));
    throw error;
  } catch (const std::exception& error) {
    throw Napi::Error::New(env, error.what());
  }
}

template <typename F>
void set_function(Napi::Object object, const char* name, F body) {
  object.Set(name, Napi::Function::New(
                       object.Env(), [body](const Napi::CallbackInfo& info) -> Napi::Value { return in_javascript(info.Env(), [&]() -> Napi::Value { return body(info); }); }, name));
}

inline bool has(const Napi::Object& object, const char* key) { return !object.Get(key).IsUndefined(); }

inline Napi::Object object_at(const Napi::CallbackInfo& info, size_t index) {
  if (!info[index].IsObject()) throw Failure("arguments", 0, "argument " + std::to_string(index) + " is no object");
  return info[index].As<Napi::Object>();
}

inline std::string text_at(const Napi::CallbackInfo& info, size_t index) {
  if (!info[index].IsString()) throw Failure("arguments", 0, "argument " + std::to_string(index) + " is no text");
  return info[index].As<Napi::String>().Utf8Value();
}

inline Napi::Value field(const Napi::Object& object, const char* key) {
  const Napi::Value value = object.Get(key);
  if (value.IsUndefined()) throw Failure("arguments", 0, std::string("the field ") + key + " is missing");
  return value;
}

inline std::string text_of(const Napi::Object& object, const char* key) {
  const Napi::Value value = field(object, key);
  if (!value.IsString()) throw Failure("arguments", 0, std::string("the field ") + key + " is no text");
  return value.As<Napi::String>().Utf8Value();
}

inline double number_of(const Napi::Object& object, const char* key) {
  const Napi::Value value = field(object, key);
  if (!value.IsNumber()) throw Failure("arguments", 0, std::string("the field ") + key + " is no number");
  return value.As<Napi::Number>().DoubleValue();
}

inline uint32_t u32_of(const Napi::Object& object, const char* key) { return static_cast<uint32_t>(number_of(object, key)); }
inline int32_t i32_of(const Napi::Object& object, const char* key) { return static_cast<int32_t>(number_of(object, key)); }

inline Napi::Array list_of(const Napi::Object& object, const char* key) {
  const Napi::Value value = field(object, key);
  if (!value.IsArray()) throw Failure("arguments", 0, std::string("the field ") + key + " is no list");
  return value.As<Napi::Array>();
}

struct ByteSpan {
  uint8_t* data;
  size_t bytes;
};

// Not by Napi::ArrayBuffer: the array may lie in memory that threads share.
inline ByteSpan bytes_of(const Napi::Value& value, const std::string& what) {
  napi_typedarray_type type;
  size_t length = 0;
  void* data = nullptr;
  if (!value.IsTypedArray() || napi_get_typedarray_info(value.Env(), value, &type, &length, &data, nullptr, nullptr) != napi_ok) throw Failure("arguments", 0, what + " is no typed array");
  return {static_cast<uint8_t*>(data), length * value.As<Napi::TypedArray>().ElementSize()};
}

template <typename T>
std::vector<T> copied(const Napi::Object& object, const char* key) {
  const ByteSpan span = bytes_of(field(object, key), key);
  if (span.bytes % sizeof(T) != 0) throw Failure("arguments", 0, std::string(key) + " has elements of another size");
  std::vector<T> values(span.bytes / sizeof(T));
  if (span.bytes > 0) std::copy_n(span.data, span.bytes, reinterpret_cast<uint8_t*>(values.data()));
  return values;
}

}  // namespace tundish::qnn
