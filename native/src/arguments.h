// Reads the arguments of one call and refuses what would make a kernel leave its arrays.
#pragma once

#include <napi.h>

#include <cstdint>
#include <string>

namespace tundish {

template <typename Element>
constexpr napi_typedarray_type kArrayType = napi_typedarray_type(-1);
template <>
inline constexpr napi_typedarray_type kArrayType<float> = napi_float32_array;
template <>
inline constexpr napi_typedarray_type kArrayType<int8_t> = napi_int8_array;
template <>
inline constexpr napi_typedarray_type kArrayType<uint8_t> = napi_uint8_array;
template <>
inline constexpr napi_typedarray_type kArrayType<uint16_t> = napi_uint16_array;
template <>
inline constexpr napi_typedarray_type kArrayType<uint32_t> = napi_uint32_array;
template <>
inline constexpr napi_typedarray_type kArrayType<double> = napi_float64_array;

class Arguments {
 public:
  explicit Arguments(const Napi::CallbackInfo& info) : info_(info) {}

  size_t size(size_t index) const {
    const Napi::Value value = info_[index];
    if (!value.IsNumber()) refuse(index, "is not a number");
    const double number = value.As<Napi::Number>().DoubleValue();
    if (!(number >= 0 && number <= 2147483647.0) || number != static_cast<double>(static_cast<size_t>(number))) refuse(index, "is not a size");
    return static_cast<size_t>(number);
  }

  float real(size_t index) const {
    if (!info_[index].IsNumber()) refuse(index, "is not a number");
    return info_[index].As<Napi::Number>().FloatValue();
  }

  // ts/checked-kernels.ts has the same bounds.
  size_t threads(size_t index) const {
    const size_t count = size(index);
    if (count < 1 || count > 64) refuse(index, "is not a thread count in 1..64");
    return count;
  }

  bool flag(size_t index) const {
    if (!info_[index].IsBoolean()) refuse(index, "is not a boolean");
    return info_[index].As<Napi::Boolean>().Value();
  }

  template <typename Element>
  Napi::TypedArrayOf<Element> array(size_t index) const {
    if (!info_[index].IsTypedArray()) refuse(index, "is not a typed array");
    const Napi::TypedArray any = info_[index].As<Napi::TypedArray>();
    if (any.TypedArrayType() != kArrayType<Element>) refuse(index, "has another element type");
    return info_[index].As<Napi::TypedArrayOf<Element>>();
  }

  // The elements of a typed array that must have exactly `expected` of them.
  template <typename Element>
  Element* data(size_t index, size_t expected) const {
    Napi::TypedArrayOf<Element> values = array<Element>(index);
    if (values.ElementLength() != expected) refuse(index, "has another length than the sizes ask for");
    return values.Data();
  }

 private:
  [[noreturn]] void refuse(size_t index, const char* why) const {
    throw Napi::TypeError::New(info_.Env(), "argument " + std::to_string(index) + " " + why);
  }

  const Napi::CallbackInfo& info_;
};

}  // namespace tundish
