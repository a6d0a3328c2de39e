#include "graph.h"

#include <deque>

#include "javascript.h"

namespace tundish::qnn {
namespace {

// The custom options of one graph, with the list that the call takes.
class GraphOptions {
 public:
  void number(abi::HtpGraphOption option, uint32_t value) { add(option).number = value; }
  void optimization(abi::HtpOptimization type, float value) { add(abi::kOptimization).optimization = {type, value}; }
  void custom(void* block) { configurations_.push_back({abi::kCustom, block}); }

  const abi::Configuration** list() {
    for (const abi::Configuration& configuration : configurations_) pointers_.push_back(&configuration);
    pointers_.push_back(nullptr);
    return pointers_.data();
  }

 private:
  abi::HtpGraph& add(abi::HtpGraphOption option) {
    blocks_.push_back({});
    blocks_.back().option = option;
    custom(&blocks_.back());
    return blocks_.back();
  }

  std::deque<abi::HtpGraph> blocks_;
  std::deque<abi::Configuration> configurations_;
  std::vector<const abi::Configuration*> pointers_;
};

void read_htp_options(const Napi::Object& from, GraphOptions& to) {
  if (has(from, "optimization")) to.optimization(abi::kFinalizeLevel, static_cast<float>(number_of(from, "optimization")));
  if (has(from, "dlbc")) to.optimization(abi::kDlbc, static_cast<float>(number_of(from, "dlbc")));
  if (has(from, "dlbcWeights")) to.optimization(abi::kDlbcWeights, static_cast<float>(number_of(from, "dlbcWeights")));
  if (has(from, "vtcmMegabytes")) to.number(abi::kVtcmMegabytes, u32_of(from, "vtcmMegabytes"));
  if (has(from, "hvxThreads")) to.number(abi::kHvxThreads, u32_of(from, "hvxThreads"));
  if (has(from, "float16") && from.Get("float16").ToBoolean()) to.number(abi::kPrecision, abi::kFloat16);
}

abi::Scalar scalar_from(const Napi::Object& from) {
  abi::Scalar scalar{};
  scalar.element = u32_of(from, "element");
  const double value = number_of(from, "value");
  switch (scalar.element) {
    case 0x232: scalar.f32 = static_cast<float>(value); break;
    case 0x132: scalar.u32 = static_cast<uint32_t>(value); break;
    case 0x32: scalar.i32 = static_cast<int32_t>(value); break;
    case 0x508: scalar.boolean = value != 0 ? 1 : 0; break;
    default: throw Failure("arguments", 0, "a scalar parameter has element type " + std::to_string(scalar.element));
  }
  return scalar;
}

}  // namespace

struct Graph::OperationMemory {
  abi::Operation operation{};
  std::string name, package, type;
  std::deque<std::string> parameter_names;
  std::vector<abi::Parameter> parameters;
  std::vector<abi::Tensor> inputs, outputs;
  // Parameters that are tensors, until the graph has them.
  std::vector<std::unique_ptr<TensorMemory>> own;
};

void Graph::create(abi::Handle context, const std::string& name, const Napi::Object& options) {
  GraphOptions configurations;
  read_htp_options(options, configurations);
  if (has(options, "dlc")) {
    dlc_ = text_of(options, "dlc");
    ir_ = {abi::kSerialization, {abi::kFlatBuffer, dlc_.c_str()}};
    configurations.custom(&ir_);
  }
  library_->call("graphCreate", abi::kGraphCreate, context, name.c_str(), configurations.list(), &handle_);
}

void Graph::retrieve(abi::Handle context, const std::string& name, const Napi::Array& inputs, const Napi::Array& outputs) {
  library_->call("graphRetrieve", abi::kGraphRetrieve, context, name.c_str(), &handle_);
  for (const Napi::Array& list : {inputs, outputs}) {
    for (uint32_t i = 0; i < list.Length(); i++) keep(tensor_from(list.Get(i).As<Napi::Object>(), *files_));
  }
}

void Graph::keep(std::unique_ptr<TensorMemory> memory) {
  const TensorMemory* kept = memory.get();
  if (!tensors_.emplace(kept->name, std::move(memory)).second) throw Failure("arguments", 0, "two tensors are called " + kept->name);
  if (kept->tensor.fields.type == abi::kInput) inputs_.push_back(kept);
  if (kept->tensor.fields.type == abi::kOutput) outputs_.push_back(kept);
}

void Graph::add_tensor(const Napi::Object& description) {
  auto memory = tensor_from(description, *files_);
  library_->call("tensorCreateGraphTensor", abi::kTensorCreateGraphTensor, handle_, &memory->tensor);
  keep(std::move(memory));
}

std::unique_ptr<Graph::OperationMemory> Graph::operation_from(const Napi::Object& description, bool create) {
  auto memory = std::make_unique<OperationMemory>();
  memory->name = text_of(description, "name");
  memory->package = "qti.aisw";
  memory->type = text_of(description, "type");
  const auto refer = [&](const char* key, std::vector<abi::Tensor>& to) {
    const Napi::Array names = list_of(description, key);
    for (uint32_t i = 0; i < names.Length(); i++) {
      const std::string name = names.Get(i).ToString().Utf8Value();
      const auto found = tensors_.find(name);
      if (found == tensors_.end()) throw Failure("arguments", 0, memory->name + " uses the tensor " + name + ", which the graph does not have");
      to.push_back(found->second->tensor);
    }
  };
  refer("inputs", memory->inputs);
  refer("outputs", memory->outputs);
  const Napi::Array parameters = list_of(description, "parameters");
  for (uint32_t i = 0; i < parameters.Length(); i++) {
    const Napi::Object from = parameters.Get(i).As<Napi::Object>();
    abi::Parameter parameter{};
    memory->parameter_names.push_back(text_of(from, "name"));
    parameter.name = memory->parameter_names.back().c_str();
    if (has(from, "tensor")) {
      auto own = tensor_from(from.Get("tensor").As<Napi::Object>(), *files_);
      if (create) library_->call("tensorCreateGraphTensor", abi::kTensorCreateGraphTensor, handle_, &own->tensor);
      parameter.kind = abi::kTensorParameter;
      parameter.tensor = own->tensor;
      memory->own.push_back(std::move(own));
    } else {
      parameter.kind = abi::kScalarParameter;
      parameter.scalar = scalar_from(from);
    }
    memory->parameters.push_back(parameter);
  }
  memory->operation = {1, memory->name.c_str(), memory->package.c_str(), memory->type.c_str(),
                       static_cast<uint32_t>(memory->parameters.size()), memory->parameters.data(),
                       static_cast<uint32_t>(memory->inputs.size()), memory->inputs.data(),
                       static_cast<uint32_t>(memory->outputs.size()), memory->outputs.data()};
  return memory;
}

void Graph::add_operation(const Napi::Object& description) {
  auto memory = operation_from(description, true);
  library_->call("graphAddNode " + memory->type + " " + memory->name, abi::kGraphAddNode, handle_, memory->operation);
  for (auto& own : memory->own) keep(std::move(own));
}

abi::Result Graph::validate(abi::Handle backend, const Napi::Object& description) {
  const auto memory = operation_from(description, false);
  return library_->result_of(abi::kBackendValidateOperation, backend, memory->operation);
}

void Graph::finalize() {
  library_->call("graphFinalize", abi::kGraphFinalize, handle_, abi::Handle(nullptr), abi::Handle(nullptr));
  // Every graph of a context stays until the binary is written; its constants need not lie here twice.
  for (auto& [name, memory] : tensors_) memory->release_data();
}

Napi::Object Graph::execute(const Napi::Object& given) {
  std::vector<abi::Tensor> inputs, outputs;
  for (const TensorMemory* input : inputs_) {
    const ByteSpan data = bytes_of(given.Get(input->name), "the input " + input->name);
    const uint64_t wanted = bytes_of(input->tensor.fields);
    if (data.bytes != wanted) throw Failure("arguments", 0, "the input " + input->name + " has " + std::to_string(data.bytes) + " bytes, its shape needs " + std::to_string(wanted));
    inputs.push_back(input->tensor);
    inputs.back().fields.buffer = {data.data, static_cast<uint32_t>(data.bytes)};
  }
  Napi::Object results = Napi::Object::New(given.Env());
  for (const TensorMemory* output : outputs_) {
    Napi::Uint8Array data = Napi::Uint8Array::New(given.Env(), bytes_of(output->tensor.fields));
    results.Set(output->name, data);
    outputs.push_back(output->tensor);
    outputs.back().fields.buffer = {data.Data(), static_cast<uint32_t>(data.ByteLength())};
  }
  library_->call("graphExecute", abi::kGraphExecute, handle_, static_cast<const abi::Tensor*>(inputs.data()), static_cast<uint32_t>(inputs.size()), outputs.data(),
                 static_cast<uint32_t>(outputs.size()), abi::Handle(nullptr), abi::Handle(nullptr));
  return results;
}

}  // namespace tundish::qnn
