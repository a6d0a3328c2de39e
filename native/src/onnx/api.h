// The functions of ONNX Runtime's C interface that are called here, by their place in its table of functions. Places never
// change: ONNX Runtime only ever appends to the table, and hands it out by version.
#pragma once

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>

namespace tundish::onnx {

struct Status;
struct Env;
struct Session;
struct SessionOptions;
struct RunOptions;
struct Value;
struct TensorInfo;
struct MemoryInfo;
struct CustomOpDomain;
struct KernelInfo;
struct KernelContext;
struct ShapeContext;

// ONNX Runtime 1.20, whose table holds everything below.
constexpr uint32_t kVersion = 20;

// Element types as TensorProto numbers them.
enum class Element : int32_t { undefined = 0, float32 = 1, uint8 = 2, int8 = 3, uint16 = 4, int32 = 6, int64 = 7 };

struct ApiBase {
  const void* const* (*table)(uint32_t version);
  const char* (*version)();
};

// Callbacks of one operator, in the layout that ONNX Runtime reads.
struct CustomOp {
  uint32_t version;
  void* (*create_kernel)(const CustomOp*, const void* const* api, const KernelInfo*);
  const char* (*name)(const CustomOp*);
  const char* (*execution_provider)(const CustomOp*);
  Element (*input_type)(const CustomOp*, size_t);
  size_t (*input_count)(const CustomOp*);
  Element (*output_type)(const CustomOp*, size_t);
  size_t (*output_count)(const CustomOp*);
  void (*compute)(void*, KernelContext*);
  void (*destroy_kernel)(void*);
  int32_t (*input_presence)(const CustomOp*, size_t);
  int32_t (*output_presence)(const CustomOp*, size_t);
  int32_t (*input_memory)(const CustomOp*, size_t);
  int (*variadic_input_least)(const CustomOp*);
  int (*variadic_input_same)(const CustomOp*);
  int (*variadic_output_least)(const CustomOp*);
  int (*variadic_output_same)(const CustomOp*);
  Status* (*create_kernel_2)(const CustomOp*, const void* const* api, const KernelInfo*, void** kernel);
  Status* (*compute_2)(void*, KernelContext*);
  Status* (*infer_shape)(const CustomOp*, ShapeContext*);
  int (*start_version)(const CustomOp*);
  int (*end_version)(const CustomOp*);
  size_t (*may_inplace)(int**, int**);
  void (*release_may_inplace)(int*, int*);
  size_t (*alias_map)(int**, int**);
  void (*release_alias_map)(int*, int*);
};

template <typename F>
struct Place;
template <typename R, typename... A>
struct Place<R(A...)> {
  size_t index;
};

inline constexpr Place<Status*(int32_t, const char*)> kCreateStatus{0};
inline constexpr Place<const char*(const Status*)> kGetErrorMessage{2};
inline constexpr Place<Status*(int32_t, const char*, Env**)> kCreateEnv{3};
inline constexpr Place<Status*(const Env*, const void*, size_t, const SessionOptions*, Session**)> kCreateSessionFromArray{8};
inline constexpr Place<Status*(Session*, const RunOptions*, const char* const*, const Value* const*, size_t, const char* const*, size_t, Value**)> kRun{9};
inline constexpr Place<Status*(SessionOptions**)> kCreateSessionOptions{10};
inline constexpr Place<Status*(SessionOptions*, const char*)> kSetOptimizedModelFilePath{11};
inline constexpr Place<Status*(SessionOptions*)> kDisableCpuMemArena{19};
inline constexpr Place<Status*(SessionOptions*, int)> kSetSessionLogSeverityLevel{22};
inline constexpr Place<Status*(SessionOptions*, int32_t)> kSetSessionGraphOptimizationLevel{23};
inline constexpr Place<Status*(SessionOptions*, int)> kSetIntraOpNumThreads{24};
inline constexpr Place<Status*(SessionOptions*, int)> kSetInterOpNumThreads{25};
inline constexpr Place<Status*(const char*, CustomOpDomain**)> kCreateCustomOpDomain{26};
inline constexpr Place<Status*(CustomOpDomain*, const CustomOp*)> kCustomOpDomainAdd{27};
inline constexpr Place<Status*(SessionOptions*, CustomOpDomain*)> kAddCustomOpDomain{28};
inline constexpr Place<Status*(const MemoryInfo*, void*, size_t, const int64_t*, size_t, Element, Value**)> kCreateTensorWithDataAsValue{49};
inline constexpr Place<Status*(Value*, void**)> kGetTensorMutableData{51};
inline constexpr Place<Status*(TensorInfo**)> kCreateTensorInfo{57};
inline constexpr Place<Status*(TensorInfo*, Element)> kSetTensorElementType{58};
inline constexpr Place<Status*(TensorInfo*, const int64_t*, size_t)> kSetDimensions{59};
inline constexpr Place<Status*(const TensorInfo*, Element*)> kGetTensorElementType{60};
inline constexpr Place<Status*(const TensorInfo*, size_t*)> kGetDimensionsCount{61};
inline constexpr Place<Status*(const TensorInfo*, int64_t*, size_t)> kGetDimensions{62};
inline constexpr Place<Status*(const Value*, TensorInfo**)> kGetTensorInfo{65};
inline constexpr Place<Status*(int32_t, int32_t, MemoryInfo**)> kCreateCpuMemoryInfo{69};
inline constexpr Place<Status*(const KernelInfo*, const char*, float*)> kGetAttributeFloat{85};
inline constexpr Place<Status*(const KernelInfo*, const char*, int64_t*)> kGetAttributeInt{86};
inline constexpr Place<Status*(const KernelContext*, size_t, const Value**)> kGetInput{90};
inline constexpr Place<Status*(KernelContext*, size_t, const int64_t*, size_t, Value**)> kGetOutput{91};
inline constexpr Place<void(Status*)> kReleaseStatus{93};
inline constexpr Place<void(Session*)> kReleaseSession{95};
inline constexpr Place<void(Value*)> kReleaseValue{96};
inline constexpr Place<void(TensorInfo*)> kReleaseTensorInfo{99};
inline constexpr Place<void(SessionOptions*)> kReleaseSessionOptions{100};
inline constexpr Place<Status*(SessionOptions*, const char*, const char*)> kAddSessionConfigEntry{130};
inline constexpr Place<Status*(const ShapeContext*, size_t, TensorInfo**)> kGetInputTypeShape{268};
inline constexpr Place<Status*(const ShapeContext*, size_t, const TensorInfo*)> kSetOutputTypeShape{270};
inline constexpr Place<Status*(const KernelContext*, void (*)(void*, size_t), size_t, size_t, void*)> kParallelFor{274};

// The table of one loaded library; copied freely.
class Api {
 public:
  explicit Api(const void* const* table) : table_(table) {}

  const void* const* table() const { return table_; }

  // A function that cannot fail, or whose failure the caller handles.
  template <typename R, typename... A, typename... B>
  R raw(Place<R(A...)> place, B... arguments) const {
    return reinterpret_cast<R (*)(A...)>(const_cast<void*>(table_[place.index]))(arguments...);
  }

  // Throws std::runtime_error with the library's own words.
  template <typename... A, typename... B>
  void call(Place<Status*(A...)> place, B... arguments) const {
    Status* status = raw(place, arguments...);
    if (status == nullptr) return;
    const std::string message = raw(kGetErrorMessage, static_cast<const Status*>(status));
    raw(kReleaseStatus, status);
    throw std::runtime_error(message);
  }

 private:
  const void* const* table_;
};

}  // namespace tundish::onnx
