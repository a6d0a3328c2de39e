#include "tensor_memory.h"

#include <limits>

#include "javascript.h"

namespace tundish::qnn {
namespace {

// A typed array, which is copied into `copy`, or {path, offset, bytes}.
ByteSpan source_of(const Napi::Value& value, std::vector<uint8_t>& copy, FileMaps& files, const std::string& what) {
  if (value.IsTypedArray()) {
    const ByteSpan given = bytes_of(value, what);
    copy.assign(given.data, given.data + given.bytes);
    return {copy.data(), copy.size()};
  }
  if (!value.IsObject()) throw Failure("arguments", 0, what + " is neither a typed array nor a range of a file");
  const Napi::Object range = value.As<Napi::Object>();
  const MappedFile& file = files.at(text_of(range, "path"));
  const double offset = number_of(range, "offset"), bytes = number_of(range, "bytes");
  if (!(offset >= 0 && bytes >= 0 && offset + bytes <= static_cast<double>(file.bytes()))) throw Failure("arguments", 0, what + " reaches beyond the end of " + text_of(range, "path"));
  return {file.data() + static_cast<size_t>(offset), static_cast<size_t>(bytes)};
}

void read_scales(const Napi::Object& from, TensorMemory& memory) {
  memory.scales = copied<float>(from, "scales");
  if (has(from, "offsets")) memory.offsets = copied<int32_t>(from, "offsets");
  if (!memory.offsets.empty() && memory.offsets.size() != memory.scales.size()) throw Failure("arguments", 0, memory.name + " has " + std::to_string(memory.scales.size()) + " scales and " + std::to_string(memory.offsets.size()) + " offsets");
}

void pair_scales(const Napi::Object& from, TensorMemory& memory) {
  read_scales(from, memory);
  for (size_t i = 0; i < memory.scales.size(); i++) memory.scale_offsets.push_back({memory.scales[i], memory.offsets.empty() ? 0 : memory.offsets[i]});
}

void read_blockwise(const Napi::Object& from, TensorMemory& memory, FileMaps& files) {
  pair_scales(from, memory);
  const uint32_t blocks = u32_of(from, "blocks");
  const ByteSpan scales = source_of(field(from, "blockScales"), memory.block_scales, files, "the block scales of " + memory.name);
  if (scales.bytes != static_cast<size_t>(blocks) * memory.scale_offsets.size()) throw Failure("arguments", 0, memory.name + " has " + std::to_string(scales.bytes) + " block scales");
  // Storage 0: a byte a block scale.
  memory.blockwise = {i32_of(from, "axis"), memory.scale_offsets.data(), blocks, u32_of(from, "bits"), 0, scales.data};
}

void read_quantization(const Napi::Object& from, TensorMemory& memory, FileMaps& files) {
  abi::Quantization& to = memory.tensor.fields.quantization;
  const std::string kind = text_of(from, "kind");
  to.definition = abi::kDefined;
  if (kind == "scale_offset") {
    to.encoding = abi::kScaleOffset;
    to.scale_offset = {static_cast<float>(number_of(from, "scale")), i32_of(from, "offset")};
  } else if (kind == "axis") {
    pair_scales(from, memory);
    to.encoding = abi::kAxis;
    to.axis = {i32_of(from, "axis"), static_cast<uint32_t>(memory.scale_offsets.size()), memory.scale_offsets.data()};
  } else if (kind == "bitwidth") {
    to.encoding = abi::kBitwidth;
    to.bitwidth = {u32_of(from, "bits"), static_cast<float>(number_of(from, "scale")), i32_of(from, "offset")};
  } else if (kind == "bitwidth_axis") {
    read_scales(from, memory);
    to.encoding = abi::kBitwidthAxis;
    to.bitwidth_axis = {u32_of(from, "bits"), i32_of(from, "axis"), static_cast<uint32_t>(memory.scales.size()), memory.scales.data(), memory.offsets.empty() ? nullptr : memory.offsets.data()};
  } else if (kind == "block") {
    pair_scales(from, memory);
    memory.block = copied<uint32_t>(from, "block");
    to.encoding = abi::kBlock;
    to.block = {memory.block.data(), memory.scale_offsets.data()};
  } else if (kind == "blockwise") {
    read_blockwise(from, memory, files);
    to.encoding = abi::kBlockwiseExpansion;
    to.blockwise = &memory.blockwise;
  } else {
    throw Failure("arguments", 0, memory.name + " has a quantization of unknown kind " + kind);
  }
}

}  // namespace

MappedFile& FileMaps::at(const std::string& path) {
  std::shared_ptr<MappedFile>& file = files_[path];
  if (file == nullptr) file = MappedFile::open(path);
  return *file;
}

void TensorMemory::release_data() {
  if (data.empty()) return;
  std::vector<uint8_t>().swap(data);
  tensor.fields.buffer = {};
}

std::unique_ptr<TensorMemory> tensor_from(const Napi::Object& description, FileMaps& files) {
  auto memory = std::make_unique<TensorMemory>();
  memory->name = text_of(description, "name");
  memory->dims = copied<uint32_t>(description, "dims");
  memory->tensor.version = has(description, "version") ? u32_of(description, "version") : 1;
  abi::TensorFields& fields = memory->tensor.fields;
  fields.id = has(description, "id") ? u32_of(description, "id") : 0;
  fields.name = memory->name.c_str();
  fields.type = u32_of(description, "type");
  fields.element = u32_of(description, "element");
  fields.rank = static_cast<uint32_t>(memory->dims.size());
  fields.dims = memory->dims.data();
  fields.memory = abi::kRawMemory;
  fields.quantization.definition = fields.quantization.encoding = abi::kUndefined;
  if (has(description, "quantization")) read_quantization(description.Get("quantization").As<Napi::Object>(), *memory, files);
  if (has(description, "data")) {
    const ByteSpan data = source_of(description.Get("data"), memory->data, files, "the data of " + memory->name);
    if (data.bytes != bytes_of(fields)) throw Failure("arguments", 0, memory->name + " has " + std::to_string(data.bytes) + " bytes of data, its shape needs " + std::to_string(bytes_of(fields)));
    if (data.bytes > std::numeric_limits<uint32_t>::max()) throw Failure("arguments", 0, memory->name + " is larger than 4 GiB");
    fields.buffer = {data.data, static_cast<uint32_t>(data.bytes)};
  }
  return memory;
}

uint64_t bytes_of(const abi::TensorFields& fields) {
  // The low byte of an element type is its width: hexadecimal digits that read as decimal bits.
  const uint32_t digits = fields.element & 0xff;
  const uint32_t bits = (digits >> 4) * 10 + (digits & 15);
  if (bits == 0 || bits % 8 != 0) throw Failure("arguments", 0, std::string(fields.name) + " has element type " + std::to_string(fields.element) + ", which has no whole number of bytes");
  double bytes = bits / 8;
  for (uint32_t i = 0; i < fields.rank; i++) bytes *= fields.dims[i];
  if (bytes > 0x1p40) throw Failure("arguments", 0, std::string(fields.name) + " is absurdly large");
  return static_cast<uint64_t>(bytes);
}

}  // namespace tundish::qnn
