// A tensor with everything that its description points at.
#pragma once

#include <napi.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "abi/tensor.h"
#include "mapped_file.h"

namespace tundish::qnn {

// Files that tensors of one context lie in, each mapped once.
class FileMaps {
 public:
  MappedFile& at(const std::string& path);

 private:
  std::map<std::string, std::shared_ptr<MappedFile>> files_;
};

// Neither copied nor moved: `tensor` points into its neighbours.
struct TensorMemory {
  abi::Tensor tensor{};
  std::string name;
  std::vector<uint32_t> dims;
  std::vector<uint8_t> data;
  std::vector<abi::ScaleOffset> scale_offsets;
  std::vector<float> scales;
  std::vector<int32_t> offsets;
  std::vector<uint8_t> block_scales;
  std::vector<uint32_t> block;
  abi::BlockwiseExpansion blockwise{};

  // What was copied of a constant, which the library reads until its graph is finalized.
  void release_data();

  TensorMemory() = default;
  TensorMemory(const TensorMemory&) = delete;
  TensorMemory& operator=(const TensorMemory&) = delete;
};

// From a QnnTensor of ts/qnn/tensor.ts. Data given as a typed array is copied, data given as a range of a file is not.
std::unique_ptr<TensorMemory> tensor_from(const Napi::Object& description, FileMaps& files);

// Bytes of a dense tensor. @throws Failure when the element type has no whole number of bytes, or the product is absurd
uint64_t bytes_of(const abi::TensorFields& fields);

}  // namespace tundish::qnn
