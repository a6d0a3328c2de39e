// One graph: its tensors by name, its operations, and running it.
#pragma once

#include <napi.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "abi/configuration.h"
#include "library.h"
#include "tensor_memory.h"

namespace tundish::qnn {

class Graph {
 public:
  Graph(std::shared_ptr<const Library> library, std::shared_ptr<FileMaps> files) : library_(std::move(library)), files_(std::move(files)) {}

  // A new, empty graph. Options are those of QnnGraphOptions.
  void create(abi::Handle context, const std::string& name, const Napi::Object& options);

  // A graph of a loaded binary; its tensors carry the ids that the binary gives them.
  void retrieve(abi::Handle context, const std::string& name, const Napi::Array& inputs, const Napi::Array& outputs);

  void add_tensor(const Napi::Object& description);
  void add_operation(const Napi::Object& description);

  // The library's code about an operation over tensors of this graph; 0 is yes.
  abi::Result validate(abi::Handle backend, const Napi::Object& description);

  void finalize();

  // Runs with every input given by name; returns every output as a new Uint8Array.
  Napi::Object execute(const Napi::Object& inputs);

 private:
  struct OperationMemory;
  std::unique_ptr<OperationMemory> operation_from(const Napi::Object& description, bool create);
  void keep(std::unique_ptr<TensorMemory> memory);

  std::shared_ptr<const Library> library_;
  std::shared_ptr<FileMaps> files_;
  abi::Handle handle_ = nullptr;
  std::map<std::string, std::unique_ptr<TensorMemory>> tensors_;
  std::vector<const TensorMemory*> inputs_;
  std::vector<const TensorMemory*> outputs_;
  // The library reads both when it finalizes.
  abi::IrGraph ir_{};
  std::string dlc_;
};

}  // namespace tundish::qnn
