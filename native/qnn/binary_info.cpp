#include "binary_info.h"

#include <cstring>

#include "failure.h"
#include "library.h"

namespace tundish::qnn {
namespace {

// More graphs or tensors than any file has: a foreign layout, read as if it were ours.
constexpr uint32_t kMostEntries = 100'000;

void require_sane(uint32_t count, const void* list, const char* what) {
  if (count > kMostEntries || (count > 0 && list == nullptr)) throw Failure("inspect", 0, std::string("the library names an absurd number of ") + what);
}

Napi::String text(Napi::Env env, const char* given) { return Napi::String::New(env, given == nullptr ? "" : given); }

template <typename Array, typename T>
Array numbers(Napi::Env env, const T* values, size_t count) {
  Array array = Array::New(env, count);
  if (count > 0) std::memcpy(array.Data(), values, count * sizeof(T));
  return array;
}

void set_pairs(Napi::Object& to, const abi::ScaleOffset* pairs, size_t count) {
  Napi::Float32Array scales = Napi::Float32Array::New(to.Env(), count);
  Napi::Int32Array offsets = Napi::Int32Array::New(to.Env(), count);
  for (size_t i = 0; i < count; i++) {
    scales[i] = pairs[i].scale;
    offsets[i] = pairs[i].offset;
  }
  to.Set("scales", scales);
  to.Set("offsets", offsets);
}

// The number of channels along an axis.
size_t extent(const abi::TensorFields& tensor, int32_t axis) { return axis >= 0 && static_cast<uint32_t>(axis) < tensor.rank ? tensor.dims[axis] : 0; }

Napi::Value describe_quantization(Napi::Env env, const abi::TensorFields& tensor) {
  const abi::Quantization& from = tensor.quantization;
  if (from.definition != abi::kDefined) return env.Undefined();
  Napi::Object to = Napi::Object::New(env);
  switch (from.encoding) {
    case abi::kScaleOffset:
      to.Set("kind", "scale_offset");
      to.Set("scale", from.scale_offset.scale);
      to.Set("offset", from.scale_offset.offset);
      return to;
    case abi::kAxis:
      to.Set("kind", "axis");
      to.Set("axis", from.axis.axis);
      set_pairs(to, from.axis.values, from.axis.count);
      return to;
    case abi::kBitwidth:
      to.Set("kind", "bitwidth");
      to.Set("bits", from.bitwidth.bits);
      to.Set("scale", from.bitwidth.scale);
      to.Set("offset", from.bitwidth.offset);
      return to;
    case abi::kBitwidthAxis:
      to.Set("kind", "bitwidth_axis");
      to.Set("bits", from.bitwidth_axis.bits);
      to.Set("axis", from.bitwidth_axis.axis);
      to.Set("scales", numbers<Napi::Float32Array>(env, from.bitwidth_axis.scales, from.bitwidth_axis.count));
      if (from.bitwidth_axis.offsets != nullptr) to.Set("offsets", numbers<Napi::Int32Array>(env, from.bitwidth_axis.offsets, from.bitwidth_axis.count));
      return to;
    case abi::kBlockwiseExpansion: {
      const abi::BlockwiseExpansion& blockwise = *from.blockwise;
      to.Set("kind", "blockwise");
      to.Set("axis", blockwise.axis);
      to.Set("blocks", blockwise.blocks_per_axis);
      to.Set("bits", blockwise.scale_bits);
      set_pairs(to, blockwise.channels, extent(tensor, blockwise.axis));
      return to;
    }
    default:
      to.Set("kind", "other");
      to.Set("encoding", from.encoding);
      return to;
  }
}

Napi::Object describe_tensor(Napi::Env env, const abi::Tensor& tensor) {
  const abi::TensorFields& from = tensor.fields;
  require_sane(from.rank, from.dims, "dimensions");
  Napi::Object to = Napi::Object::New(env);
  to.Set("version", tensor.version);
  to.Set("id", from.id);
  to.Set("name", text(env, from.name));
  to.Set("type", from.type);
  to.Set("element", from.element);
  to.Set("dims", numbers<Napi::Uint32Array>(env, from.dims, from.rank));
  const Napi::Value quantization = describe_quantization(env, from);
  if (!quantization.IsUndefined()) to.Set("quantization", quantization);
  return to;
}

Napi::Array describe_tensors(Napi::Env env, const abi::Tensor* tensors, uint32_t count) {
  require_sane(count, tensors, "tensors");
  Napi::Array list = Napi::Array::New(env, count);
  for (uint32_t i = 0; i < count; i++) list.Set(i, describe_tensor(env, tensors[i]));
  return list;
}

Napi::Value describe_blob(Napi::Env env, const abi::GraphInfo& graph) {
  uint32_t words[abi::kBlobWords] = {};
  if (graph.version < 3 || graph.blob_info == nullptr || graph.blob_info_bytes < sizeof words) return env.Undefined();
  std::memcpy(words, graph.blob_info, sizeof words);
  if (words[abi::kBlobVersion] != 1) return env.Undefined();
  Napi::Object to = Napi::Object::New(env);
  to.Set("spillFillBytes", words[abi::kSpillFillBytes] + 0x1p32 * words[abi::kSpillFillBytes + 1]);
  to.Set("vtcmBytes", words[abi::kVtcmBytes]);
  to.Set("optimizationLevel", words[abi::kOptimizationLevel]);
  to.Set("ioBytes", words[abi::kGraphIoBytes]);
  to.Set("runListBytes", words[abi::kRunListBytes]);
  to.Set("constantBytes", words[abi::kConstantBytes]);
  to.Set("sharedWeightBytes", words[abi::kSharedWeightBytes]);
  return to;
}

template <typename Info>
void describe_common(Napi::Object& to, const Info& info) {
  const Napi::Env env = to.Env();
  to.Set("backendId", info.backend_id);
  to.Set("buildId", text(env, info.build_id));
  to.Set("coreApi", text_of(info.core));
  to.Set("backendApi", text_of(info.backend));
  to.Set("soc", text(env, info.soc));
  to.Set("contextBlobVersion", text_of(info.context_blob));
  to.Set("blobBytes", static_cast<double>(info.blob_bytes));
  to.Set("contextTensors", describe_tensors(env, info.tensors, info.tensor_count));
  require_sane(info.graph_count, info.graphs, "graphs");
  Napi::Array graphs = Napi::Array::New(env, info.graph_count);
  for (uint32_t i = 0; i < info.graph_count; i++) graphs.Set(i, describe_graph(env, info.graphs[i]));
  to.Set("graphs", graphs);
}

}  // namespace

Napi::Object describe_graph(Napi::Env env, const abi::GraphInfo& graph) {
  Napi::Object to = Napi::Object::New(env);
  to.Set("version", graph.version);
  to.Set("name", text(env, graph.name));
  to.Set("inputs", describe_tensors(env, graph.inputs, graph.input_count));
  to.Set("outputs", describe_tensors(env, graph.outputs, graph.output_count));
  const Napi::Value blob = describe_blob(env, graph);
  if (!blob.IsUndefined()) to.Set("memory", blob);
  return to;
}

Napi::Object describe_binary(Napi::Env env, const abi::BinaryInfo& info) {
  Napi::Object to = Napi::Object::New(env);
  to.Set("version", info.version);
  if (info.version == 1 || info.version == 2) {
    describe_common(to, info.v1);
  } else if (info.version == 3) {
    describe_common(to, info.v3);
    to.Set("socModel", info.v3.soc_model);
    uint32_t words[2] = {};
    if (info.v3.metadata != nullptr && info.v3.metadata_bytes >= sizeof words) std::memcpy(words, info.v3.metadata, sizeof words);
    if (words[0] == 1) to.Set("architecture", words[1]);
  } else {
    throw Failure("inspect", 0, "the library describes the binary in form " + std::to_string(info.version) + "; known are 1, 2 and 3");
  }
  return to;
}

}  // namespace tundish::qnn
