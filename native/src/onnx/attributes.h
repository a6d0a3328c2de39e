// Attributes of a node, and tasks on the threads of its session.
#pragma once

#include "api.h"

namespace tundish::onnx {

// Reading one that the node does not have throws.
class Attributes {
 public:
  Attributes(const Api& api, const KernelInfo* info) : api_(api), info_(info) {}

  double real(const char* name) const {
    float value = 0;
    api_.call(kGetAttributeFloat, info_, name, &value);
    return static_cast<double>(value);
  }

  int64_t integer(const char* name) const {
    int64_t value = 0;
    api_.call(kGetAttributeInt, info_, name, &value);
    return value;
  }

 private:
  Api api_;
  const KernelInfo* info_;
};

template <typename F>
void parallel_for(const Api& api, const KernelContext* context, size_t count, F& work) {
  const auto step = [](void* data, size_t index) { (*static_cast<F*>(data))(index); };
  api.call(kParallelFor, context, static_cast<void (*)(void*, size_t)>(step), count, size_t{0}, static_cast<void*>(&work));
}

}  // namespace tundish::onnx
