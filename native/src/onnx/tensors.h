// Shapes and data of tensors that operators read and write.
#pragma once

#include <memory>
#include <vector>

#include "api.h"

namespace tundish::onnx {

using Shape = std::vector<int64_t>;

inline Shape shape_of(const Api& api, const TensorInfo* info) {
  size_t rank = 0;
  api.call(kGetDimensionsCount, info, &rank);
  Shape shape(rank);
  api.call(kGetDimensions, info, shape.data(), rank);
  return shape;
}

// Owns what the library allocated for one query.
class OwnedInfo {
 public:
  explicit OwnedInfo(const Api& api) : api_(api) {}
  OwnedInfo(const OwnedInfo&) = delete;
  OwnedInfo& operator=(const OwnedInfo&) = delete;
  ~OwnedInfo() {
    if (info != nullptr) api_.raw(kReleaseTensorInfo, info);
  }

  TensorInfo* info = nullptr;

 private:
  const Api& api_;
};

inline Shape shape_of(const Api& api, const Value* value) {
  OwnedInfo owned(api);
  api.call(kGetTensorInfo, value, &owned.info);
  return shape_of(api, owned.info);
}

inline Element element_of(const Api& api, const Value* value) {
  OwnedInfo owned(api);
  api.call(kGetTensorInfo, value, &owned.info);
  Element element = Element::undefined;
  api.call(kGetTensorElementType, static_cast<const TensorInfo*>(owned.info), &element);
  return element;
}

template <typename T>
T* data_of(const Api& api, const Value* value) {
  void* data = nullptr;
  api.call(kGetTensorMutableData, const_cast<Value*>(value), &data);
  return static_cast<T*>(data);
}

}  // namespace tundish::onnx
