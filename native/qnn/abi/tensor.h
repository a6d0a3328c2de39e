// Tensors, their quantization, parameters and operations as they cross the interface. Provenance as in interface.h.
#pragma once

#include "interface.h"

namespace tundish::qnn::abi {

// Real value = (code + offset) * scale.
struct ScaleOffset {
  float scale;
  int32_t offset;
};

struct AxisScales {
  int32_t axis;
  uint32_t count;
  ScaleOffset* values;
};

struct BitwidthScale {
  uint32_t bits;
  float scale;
  int32_t offset;
};

struct BitwidthAxis {
  uint32_t bits;
  int32_t axis;
  uint32_t count;
  float* scales;
  int32_t* offsets;
};

struct BlockScales {
  uint32_t* block;
  ScaleOffset* values;
};

// Two levels: a float scale a channel, and integer scales of its blocks, laid out [channel][block].
struct BlockwiseExpansion {
  int32_t axis;
  ScaleOffset* channels;
  uint32_t blocks_per_axis;
  uint32_t scale_bits;
  uint32_t storage;
  void* block_scales;
};

enum Encoding : uint32_t {
  kScaleOffset = 0,
  kAxis = 1,
  kBitwidth = 2,
  kBitwidthAxis = 3,
  kBlock = 4,
  kBlockwiseExpansion = 5,
};
constexpr uint32_t kUndefined = 0x7fffffff;
constexpr uint32_t kDefined = 1;

struct Quantization {
  uint32_t definition;
  uint32_t encoding;
  union {
    ScaleOffset scale_offset;
    AxisScales axis;
    BitwidthScale bitwidth;
    BitwidthAxis bitwidth_axis;
    BlockScales block;
    BlockwiseExpansion* blockwise;
    unsigned char reserved[32];
  };
};
static_assert(sizeof(ScaleOffset) == 8 && sizeof(AxisScales) == 16 && sizeof(BitwidthScale) == 12 && sizeof(BitwidthAxis) == 32);
static_assert(sizeof(BlockScales) == 16 && sizeof(BlockwiseExpansion) == 40 && offsetof(BlockwiseExpansion, block_scales) == 32);
static_assert(sizeof(Quantization) == 40 && offsetof(Quantization, scale_offset) == 8);

// At most 4 GiB - 1.
struct ClientBuffer {
  void* data;
  uint32_t bytes;
};

enum TensorType : uint32_t { kInput = 0, kOutput = 1, kNative = 3, kStatic = 4 };
constexpr uint32_t kRawMemory = 0;

// Version 1 is the part up to `buffer`; version 2 has the rest as well.
struct TensorFields {
  uint32_t id;
  const char* name;
  uint32_t type;
  uint32_t format;
  uint32_t element;
  Quantization quantization;
  uint32_t rank;
  uint32_t* dims;
  uint32_t memory;
  ClientBuffer buffer;
  uint8_t* is_dynamic;
  struct {
    uint32_t type, specified, sparse;
  } sparse;
  uint8_t is_produced;
};

struct Tensor {
  uint32_t version;
  TensorFields fields;
};
static_assert(offsetof(TensorFields, quantization) == 32 && offsetof(TensorFields, rank) == 72 && offsetof(TensorFields, dims) == 80);
static_assert(offsetof(TensorFields, memory) == 88 && offsetof(TensorFields, buffer) == 96 && offsetof(TensorFields, is_dynamic) == 112);
static_assert(offsetof(TensorFields, sparse) == 120 && offsetof(TensorFields, is_produced) == 132 && sizeof(TensorFields) == 136);
static_assert(sizeof(Tensor) == 144 && offsetof(Tensor, fields) == 8);

struct Scalar {
  uint32_t element;
  union {
    float f32;
    uint32_t u32;
    int32_t i32;
    uint8_t boolean;
    uint64_t bits;
  };
};

enum ParameterKind : uint32_t { kScalarParameter = 0, kTensorParameter = 1 };

struct Parameter {
  uint32_t kind;
  const char* name;
  union {
    Scalar scalar;
    Tensor tensor;
  };
};
static_assert(sizeof(Scalar) == 16 && offsetof(Scalar, bits) == 8);
static_assert(sizeof(Parameter) == 160 && offsetof(Parameter, scalar) == 16);

// By value where operations are validated and added.
struct Operation {
  uint32_t version;
  const char* name;
  const char* package;
  const char* type;
  uint32_t parameter_count;
  Parameter* parameters;
  uint32_t input_count;
  Tensor* inputs;
  uint32_t output_count;
  Tensor* outputs;
};
static_assert(sizeof(Operation) == 80 && offsetof(Operation, name) == 8 && offsetof(Operation, outputs) == 72);

}  // namespace tundish::qnn::abi
