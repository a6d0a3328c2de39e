// How a class that computes becomes an operator of ONNX Runtime: its tensors, and the callbacks that the library asks for.
#pragma once

#include <algorithm>

#include "tensors.h"

namespace tundish::onnx {

inline constexpr int32_t kFail = 1;

struct Tensor {
  const Value* value = nullptr;
  Shape shape;
};

inline Tensor input_at(const Api& api, const KernelContext* context, size_t index) {
  Tensor tensor;
  api.call(kGetInput, context, index, &tensor.value);
  if (tensor.value != nullptr) tensor.shape = shape_of(api, tensor.value);
  return tensor;
}

inline Value* output_of(const Api& api, KernelContext* context, const Shape& shape) {
  Value* value = nullptr;
  api.call(kGetOutput, context, size_t{0}, shape.data(), shape.size(), &value);
  return value;
}

inline size_t product_of(const Shape& shape, size_t from, size_t to) {
  size_t product = 1;
  for (size_t i = from; i < to; i++) product *= static_cast<size_t>(shape[i]);
  return product;
}

// Runs `work`; what it throws becomes a status, since no exception may cross into the library.
template <typename F>
Status* guarded(const Api& api, F work) {
  try {
    work();
    return nullptr;
  } catch (const std::exception& error) {
    return api.raw(kCreateStatus, kFail, error.what());
  }
}

// The table of the library, for callbacks that get none; set before the first session is made.
inline const void* const* library_table = nullptr;

template <typename Kernel>
struct Holder {
  Kernel kernel;
  Api api;
};

// Codes of 16 bits unless the kernel says otherwise.
template <typename Kernel>
constexpr Element output_element() {
  if constexpr (requires { Kernel::kOutput; }) return Kernel::kOutput;
  else return Element::uint16;
}

template <typename Kernel>
constexpr CustomOp describe() {
  CustomOp op{};
  op.version = kVersion;
  op.name = [](const CustomOp*) { return Kernel::kName; };
  op.execution_provider = [](const CustomOp*) -> const char* { return nullptr; };
  op.input_type = [](const CustomOp*, size_t index) { return Kernel::kInputTypes[index]; };
  op.input_count = [](const CustomOp*) { return Kernel::kInputs; };
  op.output_type = [](const CustomOp*, size_t) { return output_element<Kernel>(); };
  op.output_count = [](const CustomOp*) { return size_t{1}; };
  op.destroy_kernel = [](void* kernel) { delete static_cast<Holder<Kernel>*>(kernel); };
  // Only the integers of blocks may be absent.
  op.input_presence = [](const CustomOp*, size_t index) -> int32_t { return index == 3 ? 1 : 0; };
  op.output_presence = [](const CustomOp*, size_t) -> int32_t { return 0; };
  op.input_memory = [](const CustomOp*, size_t) -> int32_t { return 0; };
  op.create_kernel_2 = [](const CustomOp*, const void* const* table, const KernelInfo* info, void** kernel) {
    const Api api(table);
    return guarded(api, [&] { *kernel = new Holder<Kernel>{Kernel(api, info), api}; });
  };
  op.compute_2 = [](void* kernel, KernelContext* context) {
    const auto* holder = static_cast<const Holder<Kernel>*>(kernel);
    return guarded(holder->api, [&] { holder->kernel.compute(context); });
  };
  op.infer_shape = [](const CustomOp*, ShapeContext* context) {
    const Api api(library_table);
    return guarded(api, [&] {
      // The shape of the output follows from the first two inputs.
      std::vector<Shape> inputs(std::min<size_t>(2, Kernel::kInputs));
      for (size_t i = 0; i < inputs.size(); i++) {
        TensorInfo* info = nullptr;
        api.call(kGetInputTypeShape, static_cast<const ShapeContext*>(context), i, &info);
        inputs[i] = shape_of(api, info);
      }
      if (std::any_of(inputs.begin(), inputs.end(), [](const Shape& shape) { return shape.empty(); })) return;
      const Shape shape = Kernel::output_shape(inputs);
      OwnedInfo owned(api);
      api.call(kCreateTensorInfo, &owned.info);
      api.call(kSetTensorElementType, owned.info, output_element<Kernel>());
      api.call(kSetDimensions, owned.info, shape.data(), shape.size());
      api.call(kSetOutputTypeShape, static_cast<const ShapeContext*>(context), size_t{0}, static_cast<const TensorInfo*>(owned.info));
    });
  };
  op.start_version = [](const CustomOp*) { return 1; };
  op.end_version = [](const CustomOp*) { return 1; };
  return op;
}

}  // namespace tundish::onnx
