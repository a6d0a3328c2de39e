// Products of codes: from tensors of ONNX Runtime to exact sums, rounded once or as a Hexagon processor does.
#include "operators.h"

#include "attributes.h"
#include "code_product.h"
#include "htp_operators.h"
#include "kernel.h"

namespace tundish::onnx {
namespace {

template <bool kTruncated>
class Linear {
 public:
  static constexpr const char* kName = kTruncated ? "HtpLinear" : "CodeLinear";
  static constexpr size_t kInputs = 4;
  static constexpr Element kInputTypes[kInputs] = {Element::uint16, Element::undefined, Element::float32, Element::uint8};

  Linear(const Api& api, const KernelInfo* info) : product_(api, info) {}

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
    if (codes.shape.size() != 2 || static_cast<size_t>(codes.shape[1]) * (blockwise ? 2 : 1) != columns) refuse(std::string(kName) + ": the weight does not have as many columns as x");
    if (product_of(scale.shape, 0, scale.shape.size()) != outputs) refuse(std::string(kName) + ": one scale is needed for each row of the weight");
    size_t block = 0;
    if (blockwise) {
      const size_t blocks = static_cast<size_t>(block_scale.shape[1]);
      block = blocks == 0 ? 0 : columns / blocks;
      if (!is_readable_block(block, columns) || block * blocks != columns) refuse(std::string(kName) + ": blocks have 16, 32 or a multiple of 64 columns");
    }
    Value* y = output_of(api, context, output_shape({x.shape, codes.shape}));
    CodeProduct::Work work{};
    work.x = data_of<uint16_t>(api, x.value);
    work.batches = 1;
    work.rows = product_of(x.shape, 0, rank - 1);
    work.w = {blockwise ? Form::kBlockwise : Form::kRows, data_of<uint8_t>(api, codes.value), blockwise ? data_of<uint8_t>(api, block_scale.value) : nullptr, block, outputs, columns};
    work.channel_scale = data_of<float>(api, scale.value);
    work.factor = 1;
    work.dropped_bits = kTruncated ? 8 : 0;
    work.y = data_of<uint16_t>(api, y);
    product_.run(context, work);
  }

 private:
  CodeProduct product_;
};

template <bool kTruncated>
class MatMul {
 public:
  static constexpr const char* kName = kTruncated ? "HtpMatMul" : "CodeMatMul";
  static constexpr size_t kInputs = 2;
  static constexpr Element kInputTypes[kInputs] = {Element::uint16, Element::undefined};

  MatMul(const Api& api, const KernelInfo* info)
      : product_(api, info), w_scale_(Attributes(api, info).real("w_scale")), w_zero_(static_cast<double>(Attributes(api, info).integer("w_zero"))) {}

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
    if (!fits) refuse(std::string(kName) + ": the shapes do not go together");
    Value* y = output_of(api, context, output_shape({a.shape, b.shape}));
    const size_t columns = static_cast<size_t>(a.shape[rank - 1]), outputs = static_cast<size_t>(b.shape[rank - 1]);
    CodeProduct::Work work{};
    work.x = data_of<uint16_t>(api, a.value);
    work.batches = product_of(a.shape, 0, shared);
    work.rows = product_of(a.shape, shared, rank - 1);
    const Element element = element_of(api, b.value);
    if (element != Element::uint8 && element != Element::uint16) refuse(std::string(kName) + ": the second operand is uint8 or uint16");
    const bool wide = element == Element::uint16;
    work.w = {Form::kColumns, wide ? nullptr : data_of<uint8_t>(api, b.value), nullptr, 0, outputs, columns};
    work.wide = wide ? data_of<uint16_t>(api, b.value) : nullptr;
    work.matrix_bytes = columns * outputs;
    work.factor = w_scale_;
    work.w_zero = w_zero_ - (wide ? 32768 : 128);
    work.dropped_bits = !kTruncated ? 0 : wide ? 16 : 8;
    work.y = data_of<uint16_t>(api, y);
    product_.run(context, work);
  }

 private:
  CodeProduct product_;
  double w_scale_;
  double w_zero_;
};

}  // namespace

CustomOpDomain* create_domain(const Api& api) {
  static const CustomOp products[] = {describe<Linear<false>>(), describe<MatMul<false>>(), describe<Linear<true>>(), describe<MatMul<true>>()};
  library_table = api.table();
  CustomOpDomain* domain = nullptr;
  api.call(kCreateCustomOpDomain, "tundish", &domain);
  for (const CustomOp& product : products) api.call(kCustomOpDomainAdd, domain, &product);
  add_htp_operators(api, domain);
  return domain;
}

}  // namespace tundish::onnx
