// What the System library says about a context binary, and the interface that it says it through. Provenance as in interface.h.
#pragma once

#include "tensor.h"

namespace tundish::qnn::abi {

struct SystemProvider {
  uint32_t backend_id;
  const char* name;
  Version api;
};
static_assert(sizeof(SystemProvider) == 32 && offsetof(SystemProvider, api) == 16);

using GetSystemProviders = Result (*)(const SystemProvider*** providers, uint32_t* count);

enum SystemSlot : size_t {
  kSystemCreate = 0,
  kSystemGetMetadata = 2,
  kSystemFree = 3,
  kSystemLogCreate = 5,
  kDlcCreateFromFile = 8,
  kDlcComposeGraphs = 10,
};

inline const Function* table_of(const SystemProvider* provider) { return reinterpret_cast<const Function*>(provider + 1); }

// Version 1 ends before `updateable_count`, version 2 before `blob_info_bytes`.
struct GraphInfo {
  uint32_t version;
  const char* name;
  uint32_t input_count;
  Tensor* inputs;
  uint32_t output_count;
  Tensor* outputs;
  uint32_t updateable_count;
  Tensor* updateables;
  uint32_t blob_info_bytes;
  void* blob_info;
  uint32_t first_operation;
  uint32_t last_operation;
};
static_assert(sizeof(GraphInfo) == 88 && offsetof(GraphInfo, name) == 8 && offsetof(GraphInfo, outputs) == 40);
static_assert(offsetof(GraphInfo, blob_info_bytes) == 64 && offsetof(GraphInfo, blob_info) == 72);

// Words of the blob info of version 1.
enum BlobWord : size_t {
  kBlobVersion = 0,
  kSpillFillBytes = 2,
  kVtcmBytes = 4,
  kOptimizationLevel = 5,
  kGraphIoBytes = 18,
  kRunListBytes = 20,
  kConstantBytes = 22,
  kSharedWeightBytes = 26,
  kBlobWords = 28,
};

// Versions 1 and 2; version 2 adds one pointer.
struct BinaryInfoV1 {
  uint32_t backend_id;
  const char* build_id;
  Version core, backend;
  const char* soc;
  Version hardware_blob, context_blob;
  uint32_t hardware_bytes;
  void* hardware;
  uint64_t blob_bytes;
  uint32_t tensor_count;
  Tensor* tensors;
  uint32_t graph_count;
  GraphInfo* graphs;
};

struct BinaryInfoV3 {
  uint32_t backend_id;
  const char* build_id;
  Version core, backend;
  const char* soc;
  Version context_blob;
  uint64_t blob_bytes;
  uint32_t tensor_count;
  Tensor* tensors;
  uint32_t graph_count;
  GraphInfo* graphs;
  void* platform;
  uint32_t metadata_bytes;
  // u32 {1, architecture}
  void* metadata;
  uint32_t soc_model;
};

struct BinaryInfo {
  uint32_t version;
  union {
    BinaryInfoV1 v1;
    BinaryInfoV3 v3;
  };
};
static_assert(sizeof(BinaryInfoV1) == 128 && offsetof(BinaryInfoV1, soc) == 40 && offsetof(BinaryInfoV1, blob_bytes) == 88 && offsetof(BinaryInfoV1, graphs) == 120);
static_assert(sizeof(BinaryInfoV3) == 136 && offsetof(BinaryInfoV3, blob_bytes) == 64 && offsetof(BinaryInfoV3, graphs) == 96);
static_assert(offsetof(BinaryInfoV3, metadata) == 120 && offsetof(BinaryInfoV3, soc_model) == 128 && sizeof(BinaryInfo) == 144);

}  // namespace tundish::qnn::abi
