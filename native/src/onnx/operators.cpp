// CodeLinear and CodeMatMul: from tensors of ONNX Runtime to exact products.
#include "operators.h"

#include "code_product.h"
#include "tensors.h"

namespace tundish::onnx {
namespace {

constexpr int32_t kFail = 1;

struct Tensor {
  const Value* value = nullptr;
  Shape shape;
};

Tensor input_at(const Api& api, const KernelContext* context, size_t index) {
  Tensor tensor;
  api.call(kGetInput, context, index, &tensor.value);
  if (tensor.value != nullptr) tensor.shape = shape_of(api, tensor.value);
  return tensor;
}

Value* output_of(const Api& api, KernelContext* context, const Shape& shape) {
  Value* value = nullptr;
  api.call(kGetOutput, context, size_t{0}, shape.data(), shape.size(), &value);
  return value;
}

size_t product_of(const Shape& shape, size_t from, size_t to) {
  size_t product = 1;
  for (size_t i = from; i < to; i++) product *= static_cast<size_t>(shape[i]);
  return product;
}

class CodeLinear {
 public:
  static constexpr const char* kName = "CodeLinear";
  static constexpr size_t kInputs = 4;
  static constexpr Element kInputTypes[kInputs] = {Element::uint16, Element::undefined, Element::float32, Element::uint8};

  CodeLinear(const Api& api, const KernelInfo* info) : product_(api, info) {}

  static Shape output_shape(const std::vector<Shape>& inputs) {
    Shape shape = inputs[0];
    shape.back() = inputs[1][0];
    return shape;
  }

  void compute(KernelContext* context) const {
    const Api& api = product_.api();
    const Tensor x = input_at(api, context, 0), codes = input_at(api, context, 1), scale = input_at(api, context, 2), block_scale = input_at(api, context, 3);
    const size_t rank = x.shape.size();
    const size_t columns = static_cast<size_t>(x.shape[rank - 1]), outputs = static_cast<size_t>(codes.shape[0]);
    const bool blockwise = block_scale.value != nullptr;
    if (codes.shape.size() != 2 || static_cast<size_t>(codes.shape[1]) * (blockwise ? 2 : 1) != columns) refuse("CodeLinear: the weight does not have as many columns as x");
    if (product_of(scale.shape, 0, scale.shape.size()) != outputs) refuse("CodeLinear: one scale is needed for each row of the weight");
    size_t block = 0;
    if (blockwise) {
      const size_t blocks = static_cast<size_t>(block_scale.shape[1]);
      block = blocks == 0 ? 0 : columns / blocks;
      if (!is_readable_block(block, columns) || block * blocks != columns) refuse("CodeLinear: blocks have 16, 32 or a multiple of 64 columns");
    }
    Value* y = output_of(api, context, output_shape({x.shape, codes.shape}));
    CodeProduct::Work work{};
    work.x = data_of<uint16_t>(api, x.value);
    work.batches = 1;
    work.rows = product_of(x.shape, 0, rank - 1);
    work.w = {blockwise ? Form::kBlockwise : Form::kRows, data_of<uint8_t>(api, codes.value), blockwise ? data_of<uint8_t>(api, block_scale.value) : nullptr, block, outputs, columns};
    work.channel_scale = data_of<float>(api, scale.value);
    work.factor = 1;
    work.y = data_of<uint16_t>(api, y);
    product_.run(context, work);
  }

 private:
  CodeProduct product_;
};

class CodeMatMul {
 public:
  static constexpr const char* kName = "CodeMatMul";
  static constexpr size_t kInputs = 2;
  static constexpr Element kInputTypes[kInputs] = {Element::uint16, Element::undefined};

  CodeMatMul(const Api& api, const KernelInfo* info)
      : product_(api, info), w_scale_(product_.real(info, "w_scale")), w_zero_(static_cast<double>(product_.integer(info, "w_zero"))) {}

  static Shape output_shape(const std::vector<Shape>& inputs) {
    Shape shape = inputs[0];
    shape.back() = inputs[1].back();
    return shape;
  }

  void compute(KernelContext* context) const {
    const Api& api = product_.api();
    const Tensor a = input_at(api, context, 0), b = input_at(api, context, 1);
    const size_t rank = a.shape.size();
    // Leading dimensions that both have are the batch; b has 1 where a has more rows for one matrix.
    size_t shared = 0;
    while (rank == b.shape.size() && shared + 2 < rank && a.shape[shared] == b.shape[shared]) shared++;
    bool fits = rank >= 2 && rank == b.shape.size() && a.shape[rank - 1] == b.shape[rank - 2];
    for (size_t i = shared; fits && i + 2 < rank; i++) fits = b.shape[i] == 1;
    if (!fits) refuse("CodeMatMul: the shapes do not go together");
    Value* y = output_of(api, context, output_shape({a.shape, b.shape}));
    const size_t columns = static_cast<size_t>(a.shape[rank - 1]), outputs = static_cast<size_t>(b.shape[rank - 1]);
    CodeProduct::Work work{};
    work.x = data_of<uint16_t>(api, a.value);
    work.batches = product_of(a.shape, 0, shared);
    work.rows = product_of(a.shape, shared, rank - 1);
    const Element element = element_of(api, b.value);
    if (element != Element::uint8 && element != Element::uint16) refuse("CodeMatMul: the second operand is uint8 or uint16");
    const bool wide = element == Element::uint16;
    work.w = {Form::kColumns, wide ? nullptr : data_of<uint8_t>(api, b.value), nullptr, 0, outputs, columns};
    work.wide = wide ? data_of<uint16_t>(api, b.value) : nullptr;
    work.matrix_bytes = columns * outputs;
    work.factor = w_scale_;
    work.w_zero = w_zero_ - (wide ? 32768 : 128);
    work.y = data_of<uint16_t>(api, y);
    product_.run(context, work);
  }

 private:
  CodeProduct product_;
  double w_scale_;
  double w_zero_;
};

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
const void* const* library_table = nullptr;

template <typename Kernel>
struct Holder {
  Kernel kernel;
  Api api;
};

template <typename Kernel>
constexpr CustomOp describe() {
  CustomOp op{};
  op.version = kVersion;
  op.name = [](const CustomOp*) { return Kernel::kName; };
  op.execution_provider = [](const CustomOp*) -> const char* { return nullptr; };
  op.input_type = [](const CustomOp*, size_t index) { return Kernel::kInputTypes[index]; };
  op.input_count = [](const CustomOp*) { return Kernel::kInputs; };
  op.output_type = [](const CustomOp*, size_t) { return Element::uint16; };
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
      std::vector<Shape> inputs(2);
      for (size_t i = 0; i < 2; i++) {
        TensorInfo* info = nullptr;
        api.call(kGetInputTypeShape, static_cast<const ShapeContext*>(context), i, &info);
        inputs[i] = shape_of(api, info);
      }
      if (inputs[0].empty() || inputs[1].empty()) return;
      const Shape shape = Kernel::output_shape(inputs);
      OwnedInfo owned(api);
      api.call(kCreateTensorInfo, &owned.info);
      api.call(kSetTensorElementType, owned.info, Element::uint16);
      api.call(kSetDimensions, owned.info, shape.data(), shape.size());
      api.call(kSetOutputTypeShape, static_cast<const ShapeContext*>(context), size_t{0}, static_cast<const TensorInfo*>(owned.info));
    });
  };
  op.start_version = [](const CustomOp*) { return 1; };
  op.end_version = [](const CustomOp*) { return 1; };
  return op;
}

}  // namespace

CustomOpDomain* create_domain(const Api& api) {
  static const CustomOp linear = describe<CodeLinear>();
  static const CustomOp matmul = describe<CodeMatMul>();
  library_table = api.table();
  CustomOpDomain* domain = nullptr;
  api.call(kCreateCustomOpDomain, "tundish", &domain);
  api.call(kCustomOpDomainAdd, domain, &linear);
  api.call(kCustomOpDomainAdd, domain, &matmul);
  return domain;
}

}  // namespace tundish::onnx
