// Operators by the laws of a Hexagon processor: from tensors of ONNX Runtime to elements and rows, on the threads of the session.
#include "htp_operators.h"

#include <string>
#include <utility>

#include "../htp/laws.h"
#include "../products/scratch.h"
#include "attributes.h"
#include "kernel.h"

namespace tundish::onnx {
namespace {

using htp::Grid;

// Elements that are worth a task of their own.
constexpr size_t kElementsAtOnce = 16384;

[[noreturn]] void refuse_shape(const char* name) { throw std::runtime_error(std::string(name) + ": the shapes do not go together"); }

Grid grid(const Attributes& attributes, const std::string& of) {
  return {attributes.real((of + "_scale").c_str()), static_cast<double>(attributes.integer((of + "_zero").c_str()))};
}

// work(from, to) over [0, count) in ranges of at least `least`.
template <typename F>
void in_ranges(const Api& api, const KernelContext* context, size_t count, size_t least, F work) {
  const size_t tasks = (count + least - 1) / least;
  if (tasks < 2) return work(size_t{0}, count);
  auto task = [&](size_t index) { work(index * least, std::min(count, (index + 1) * least)); };
  parallel_for(api, context, tasks, task);
}

// Dimensions of two operands against each other, as numpy aligns them.
Shape broadcast(const char* name, const std::vector<Shape>& shapes) {
  Shape result(std::max(shapes[0].size(), shapes[1].size()), 1);
  for (const Shape& shape : shapes) {
    for (size_t i = 0; i < shape.size(); i++) {
      int64_t& dim = result[result.size() - shape.size() + i];
      if (dim != 1 && shape[i] != 1 && dim != shape[i]) refuse_shape(name);
      if (shape[i] != 1) dim = shape[i];
    }
  }
  return result;
}

// Steps in elements along each axis of `target`; 0 where the operand is repeated.
std::vector<size_t> steps_of(const Shape& shape, const Shape& target) {
  std::vector<size_t> steps(target.size(), 0);
  size_t step = 1;
  for (size_t i = shape.size(); i-- > 0;) {
    if (shape[i] != 1) steps[target.size() - shape.size() + i] = step;
    step *= static_cast<size_t>(shape[i]);
  }
  return steps;
}

size_t offset_of(size_t row, const Shape& shape, const std::vector<size_t>& steps) {
  size_t offset = 0;
  for (size_t axis = shape.size() - 1; axis-- > 0; row /= static_cast<size_t>(shape[axis])) offset += row % static_cast<size_t>(shape[axis]) * steps[axis];
  return offset;
}

template <typename Law>
class Binary {
 public:
  static constexpr const char* kName = Law::kName;
  static constexpr size_t kInputs = 2;
  static constexpr Element kInputTypes[kInputs] = {Element::uint16, Element::uint16};

  Binary(const Api& api, const KernelInfo* info) : api_(api), law_(Law::of(Attributes(api, info))) {}

  static Shape output_shape(const std::vector<Shape>& inputs) { return broadcast(kName, inputs); }

  void compute(KernelContext* context) const {
    const Tensor a = input_at(api_, context, 0), b = input_at(api_, context, 1);
    const Shape shape = broadcast(kName, {a.shape, b.shape});
    uint16_t* y = data_of<uint16_t>(api_, output_of(api_, context, shape));
    const uint16_t *left = data_of<uint16_t>(api_, a.value), *right = data_of<uint16_t>(api_, b.value);
    const std::vector<size_t> left_steps = steps_of(a.shape, shape), right_steps = steps_of(b.shape, shape);
    const size_t columns = shape.empty() ? 1 : static_cast<size_t>(shape.back());
    const size_t left_step = shape.empty() ? 0 : left_steps.back(), right_step = shape.empty() ? 0 : right_steps.back();
    in_ranges(api_, context, shape.empty() ? 1 : product_of(shape, 0, shape.size() - 1), rows_at_once(columns), [&](size_t from, size_t to) {
      for (size_t row = from; row < to; row++) {
        const uint16_t *l = left, *r = right;
        if (!shape.empty()) l += offset_of(row, shape, left_steps), r += offset_of(row, shape, right_steps);
        for (size_t i = 0; i < columns; i++) y[row * columns + i] = law_(l[i * left_step], r[i * right_step]);
      }
    });
  }

  static size_t rows_at_once(size_t columns) { return std::max<size_t>(1, kElementsAtOnce / std::max<size_t>(1, columns)); }

 private:
  Api api_;
  decltype(Law::of(std::declval<Attributes>())) law_;
};

struct Add {
  static constexpr const char* kName = "HtpAdd";
  static htp::Sum of(const Attributes& attributes) { return {grid(attributes, "a"), grid(attributes, "b"), grid(attributes, "y"), 1}; }
};

struct Sub {
  static constexpr const char* kName = "HtpSub";
  static htp::Sum of(const Attributes& attributes) { return {grid(attributes, "a"), grid(attributes, "b"), grid(attributes, "y"), -1}; }
};

struct Mul {
  static constexpr const char* kName = "HtpMul";
  static htp::Product of(const Attributes& attributes) { return {grid(attributes, "a"), grid(attributes, "b"), grid(attributes, "y")}; }
};

class Rotary {
 public:
  static constexpr const char* kName = "HtpRotary";
  static constexpr size_t kInputs = 3;
  static constexpr Element kInputTypes[kInputs] = {Element::uint16, Element::uint16, Element::uint16};

  Rotary(const Api& api, const KernelInfo* info) : api_(api), law_(law_of(Attributes(api, info))) {}

  static Shape output_shape(const std::vector<Shape>& inputs) { return inputs[0]; }

  void compute(KernelContext* context) const {
    const Tensor x = input_at(api_, context, 0), cos = input_at(api_, context, 1), sin = input_at(api_, context, 2);
    const size_t rank = x.shape.size();
    if (rank < 2) refuse_shape(kName);
    const size_t rows = static_cast<size_t>(x.shape[rank - 2]), columns = static_cast<size_t>(x.shape[rank - 1]), half = columns / 2;
    for (const Tensor& table : {cos, sin}) {
      if (columns % 2 != 0 || table.shape.size() < 2 || product_of(table.shape, 0, table.shape.size()) != rows * half || static_cast<size_t>(table.shape.back()) != half) refuse_shape(kName);
    }
    uint16_t* y = data_of<uint16_t>(api_, output_of(api_, context, x.shape));
    const uint16_t *codes = data_of<uint16_t>(api_, x.value), *cosines = data_of<uint16_t>(api_, cos.value), *sines = data_of<uint16_t>(api_, sin.value);
    const htp::Eighths eighths = htp::eighths_of(rows, columns);
    in_ranges(api_, context, product_of(x.shape, 0, rank - 1), std::max<size_t>(1, kElementsAtOnce / std::max<size_t>(1, columns)), [&](size_t from, size_t to) {
      for (size_t row = from; row < to; row++) law_(codes + row * columns, cosines + row % rows * half, sines + row % rows * half, half, eighths, y + row * columns);
    });
  }

 private:
  static htp::Rotary law_of(const Attributes& attributes) { return {grid(attributes, "x"), grid(attributes, "cos"), grid(attributes, "sin"), grid(attributes, "y")}; }

  Api api_;
  htp::Rotary law_;
};

template <typename Law>
class Unary {
 public:
  static constexpr const char* kName = Law::kName;
  static constexpr size_t kInputs = 1;
  static constexpr Element kInputTypes[kInputs] = {Element::uint16};
  using Code = typename Law::Code;
  static constexpr Element kOutput = sizeof(Code) == 1 ? Element::uint8 : Element::uint16;

  Unary(const Api& api, const KernelInfo* info) : api_(api), law_(Law::of(Attributes(api, info))) {}

  static Shape output_shape(const std::vector<Shape>& inputs) { return inputs[0]; }

  void compute(KernelContext* context) const {
    const Tensor x = input_at(api_, context, 0);
    Code* y = data_of<Code>(api_, output_of(api_, context, x.shape));
    const uint16_t* codes = data_of<uint16_t>(api_, x.value);
    in_ranges(api_, context, product_of(x.shape, 0, x.shape.size()), kElementsAtOnce, [&](size_t from, size_t to) {
      for (size_t i = from; i < to; i++) y[i] = law_(codes[i]);
    });
  }

 private:
  Api api_;
  decltype(Law::of(std::declval<Attributes>())) law_;
};

struct Convert {
  static constexpr const char* kName = "HtpConvert";
  using Code = uint16_t;
  static htp::Convert of(const Attributes& attributes) { return {grid(attributes, "x"), grid(attributes, "y")}; }
};

struct Narrow {
  static constexpr const char* kName = "HtpNarrow";
  using Code = uint8_t;
  static htp::Narrow of(const Attributes& attributes) { return {grid(attributes, "x"), grid(attributes, "y")}; }
};

struct Sigmoid {
  static constexpr const char* kName = "HtpSigmoid";
  using Code = uint16_t;
  static htp::Sigmoid of(const Attributes& attributes) { return htp::Sigmoid(grid(attributes, "x")); }
};

class Softmax {
 public:
  static constexpr const char* kName = "HtpSoftmax";
  static constexpr size_t kInputs = 1;
  static constexpr Element kInputTypes[kInputs] = {Element::uint16};

  Softmax(const Api& api, const KernelInfo* info) : api_(api), step_(step_of(Attributes(api, info).real("x_scale"))) {}

  static Shape output_shape(const std::vector<Shape>& inputs) { return inputs[0]; }

  void compute(KernelContext* context) const {
    const Tensor x = input_at(api_, context, 0);
    if (x.shape.empty() || x.shape.back() == 0) refuse_shape(kName);
    uint16_t* y = data_of<uint16_t>(api_, output_of(api_, context, x.shape));
    const uint16_t* codes = data_of<uint16_t>(api_, x.value);
    const size_t columns = static_cast<size_t>(x.shape.back());
    in_ranges(api_, context, product_of(x.shape, 0, x.shape.size() - 1), std::max<size_t>(1, kElementsAtOnce / columns), [&](size_t from, size_t to) {
      thread_local Scratch<uint32_t> memory;
      uint32_t* exponentials = memory.take(columns);
      for (size_t row = from; row < to; row++) htp::softmax(codes + row * columns, columns, step_, exponentials, y + row * columns);
    });
  }

 private:
  static uint64_t step_of(double scale) {
    const double step = __builtin_floor(std::ldexp(scale * htp::kLog2E, htp::kFractionBits));
    if (!(step < 0x1p40)) throw std::runtime_error(std::string(kName) + ": the scale of x is too large");
    return static_cast<uint64_t>(step);
  }

  Api api_;
  uint64_t step_;
};

class RmsNorm {
 public:
  static constexpr const char* kName = "HtpRmsNorm";
  static constexpr size_t kInputs = 2;
  static constexpr Element kInputTypes[kInputs] = {Element::uint16, Element::float32};

  RmsNorm(const Api& api, const KernelInfo* info) : api_(api) {
    const Attributes attributes(api, info);
    from_ = grid(attributes, "x");
    to_ = grid(attributes, "y");
    epsilon_ = attributes.real("epsilon");
  }

  static Shape output_shape(const std::vector<Shape>& inputs) { return inputs[0]; }

  void compute(KernelContext* context) const {
    const Tensor x = input_at(api_, context, 0), gain = input_at(api_, context, 1);
    if (x.shape.empty() || gain.shape.size() != 1 || gain.shape[0] != x.shape.back() || gain.shape[0] == 0) refuse_shape(kName);
    uint16_t* y = data_of<uint16_t>(api_, output_of(api_, context, x.shape));
    const uint16_t* codes = data_of<uint16_t>(api_, x.value);
    const float* gains = data_of<float>(api_, gain.value);
    const size_t columns = static_cast<size_t>(x.shape.back());
    in_ranges(api_, context, product_of(x.shape, 0, x.shape.size() - 1), std::max<size_t>(1, kElementsAtOnce / columns), [&](size_t from, size_t to) {
      for (size_t row = from; row < to; row++) htp::rms_norm(codes + row * columns, gains, columns, from_, to_, epsilon_, y + row * columns);
    });
  }

 private:
  Api api_;
  Grid from_{};
  Grid to_{};
  double epsilon_ = 0;
};

}  // namespace

void add_htp_operators(const Api& api, CustomOpDomain* domain) {
  static const CustomOp operators[] = {describe<Binary<Add>>(), describe<Binary<Sub>>(), describe<Binary<Mul>>(), describe<Rotary>(),
                                       describe<Unary<Convert>>(), describe<Unary<Narrow>>(), describe<Unary<Sigmoid>>(), describe<Softmax>(), describe<RmsNorm>()};
  for (const CustomOp& each : operators) api.call(kCustomOpDomainAdd, domain, &each);
}

}  // namespace tundish::onnx
