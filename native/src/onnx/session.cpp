// Sessions of ONNX Runtime, opened and run on the thread that calls: nothing here waits, and nothing is shared but the library.
#include "session.h"

#include <dlfcn.h>

#include <memory>
#include <mutex>
#include <vector>

#include "operators.h"
#include "tensors.h"

namespace tundish {
namespace {

using namespace onnx;

// Failures come back as statuses; what the library prints beside them would reach users twice.
constexpr int32_t kFatalOnly = 4;
constexpr int32_t kDeviceAllocator = 0;
constexpr int32_t kDefaultMemory = 0;

// What all sessions of a process use. Never torn down: threads of the library may outlive any destructor.
struct Library {
  Api api;
  std::string version;
  Env* env;
  MemoryInfo* memory;
  CustomOpDomain* domain;
};

const Library& load(const std::string& path) {
  static std::mutex mutex;
  static const Library* loaded = nullptr;
  const std::lock_guard lock(mutex);
  if (loaded != nullptr) return *loaded;
  void* handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) throw std::runtime_error(dlerror());
  const auto base_of = reinterpret_cast<const ApiBase* (*)()>(dlsym(handle, "OrtGetApiBase"));
  if (base_of == nullptr) throw std::runtime_error(path + " is not ONNX Runtime");
  const ApiBase* base = base_of();
  const void* const* table = base->table(kVersion);
  if (table == nullptr) throw std::runtime_error("ONNX Runtime " + std::string(base->version()) + " is older than 1." + std::to_string(kVersion));
  auto library = std::make_unique<Library>(Library{Api(table), base->version(), nullptr, nullptr, nullptr});
  library->api.call(kCreateEnv, kFatalOnly, "tundish", &library->env);
  library->api.call(kCreateCpuMemoryInfo, kDeviceAllocator, kDefaultMemory, &library->memory);
  library->domain = create_domain(library->api);
  loaded = library.release();
  return *loaded;
}

struct ElementInfo {
  const char* name;
  Element element;
  napi_typedarray_type array;
  size_t size;
};

constexpr ElementInfo kElements[] = {
    {"float32", Element::float32, napi_float32_array, 4},
    {"uint16", Element::uint16, napi_uint16_array, 2},
    {"uint8", Element::uint8, napi_uint8_array, 1},
    {"int32", Element::int32, napi_int32_array, 4},
};

const ElementInfo& element_by(napi_typedarray_type array) {
  for (const ElementInfo& info : kElements) {
    if (info.array == array) return info;
  }
  throw std::runtime_error("tensors are Float32Array, Uint16Array, Uint8Array or Int32Array");
}

const ElementInfo& element_by(Element element, const std::string& name) {
  for (const ElementInfo& info : kElements) {
    if (info.element == element) return info;
  }
  throw std::runtime_error("output " + name + " has element type " + std::to_string(static_cast<int32_t>(element)) + ": float32, uint8, uint16 and int32 can be returned");
}

struct ValueRelease {
  const Api* api;
  void operator()(Value* value) const { api->raw(kReleaseValue, value); }
};
using OwnedValue = std::unique_ptr<Value, ValueRelease>;

// One call, its tensors named as the graph names them.
class Call {
 public:
  explicit Call(const Library& library) : library_(library) {}

  // The memory stays that of the caller.
  void feed(const Napi::Object& tensor) {
    // Not by Napi::ArrayBuffer: the array may lie in memory that threads share.
    napi_typedarray_type type;
    size_t length = 0;
    void* bytes = nullptr;
    if (napi_get_typedarray_info(tensor.Env(), tensor.Get("data"), &type, &length, &bytes, nullptr, nullptr) != napi_ok) throw std::runtime_error("the data of an input is no typed array");
    const ElementInfo& element = element_by(type);
    const Napi::Array dims = tensor.Get("dims").As<Napi::Array>();
    Shape shape;
    for (uint32_t i = 0; i < dims.Length(); i++) shape.push_back(dims.Get(i).As<Napi::Number>().Int64Value());
    Value* value = nullptr;
    library_.api.call(kCreateTensorWithDataAsValue, static_cast<const MemoryInfo*>(library_.memory), bytes, length * element.size,
                      static_cast<const int64_t*>(shape.data()), shape.size(), element.element, &value);
    inputs_.emplace_back(value, ValueRelease{&library_.api});
    input_names_.push_back(tensor.Get("name").As<Napi::String>().Utf8Value());
  }

  void fetch(const std::string& name) { output_names_.push_back(name); }

  void run(Session* session) {
    std::vector<const char*> input_names, output_names;
    std::vector<const Value*> inputs;
    for (const std::string& name : input_names_) input_names.push_back(name.c_str());
    for (const std::string& name : output_names_) output_names.push_back(name.c_str());
    for (const OwnedValue& input : inputs_) inputs.push_back(input.get());
    std::vector<Value*> outputs(output_names.size(), nullptr);
    library_.api.call(kRun, session, static_cast<const RunOptions*>(nullptr), static_cast<const char* const*>(input_names.data()),
                      static_cast<const Value* const*>(inputs.data()), inputs.size(), static_cast<const char* const*>(output_names.data()),
                      output_names.size(), outputs.data());
    for (Value* output : outputs) outputs_.emplace_back(output, ValueRelease{&library_.api});
  }

  // Copies: the memory of the library is reused by the next call.
  Napi::Array results(Napi::Env env) const {
    Napi::Array results = Napi::Array::New(env, outputs_.size());
    for (size_t i = 0; i < outputs_.size(); i++) {
      const Value* value = outputs_[i].get();
      const ElementInfo& element = element_by(element_of(library_.api, value), output_names_[i]);
      size_t count = 1;
      for (const int64_t dim : shape_of(library_.api, value)) count *= static_cast<size_t>(dim);
      Napi::ArrayBuffer buffer = Napi::ArrayBuffer::New(env, count * element.size);
      if (count > 0) std::memcpy(buffer.Data(), data_of<uint8_t>(library_.api, value), count * element.size);
      napi_value array = nullptr;
      if (napi_create_typedarray(env, element.array, count, buffer, 0, &array) != napi_ok) throw std::runtime_error("no typed array can be made");
      Napi::Object result = Napi::Object::New(env);
      result.Set("name", output_names_[i]);
      result.Set("data", Napi::Value(env, array));
      results.Set(static_cast<uint32_t>(i), result);
    }
    return results;
  }

 private:
  const Library& library_;
  std::vector<OwnedValue> inputs_;
  std::vector<std::string> input_names_;
  std::vector<std::string> output_names_;
  std::vector<OwnedValue> outputs_;
};

struct OptionsRelease {
  const Api* api;
  void operator()(SessionOptions* options) const { api->raw(kReleaseSessionOptions, options); }
};

Session* create(const Library& library, const Napi::Uint8Array& model, const Napi::Object& wanted) {
  const Api& api = library.api;
  SessionOptions* made = nullptr;
  api.call(kCreateSessionOptions, &made);
  const std::unique_ptr<SessionOptions, OptionsRelease> options(made, OptionsRelease{&api});
  api.call(kSetSessionLogSeverityLevel, made, static_cast<int>(kFatalOnly));
  api.call(kSetIntraOpNumThreads, made, wanted.Get("threads").As<Napi::Number>().Int32Value());
  api.call(kSetInterOpNumThreads, made, 1);
  api.call(kSetSessionGraphOptimizationLevel, made, wanted.Get("optimize").ToBoolean() ? 1 : 0);
  if (!wanted.Get("arena").ToBoolean()) api.call(kDisableCpuMemArena, made);
  if (wanted.Get("saveAs").IsString()) api.call(kSetOptimizedModelFilePath, made, wanted.Get("saveAs").As<Napi::String>().Utf8Value().c_str());
  const Napi::Object entries = wanted.Get("entries").As<Napi::Object>();
  const Napi::Array keys = entries.GetPropertyNames();
  for (uint32_t i = 0; i < keys.Length(); i++) {
    const std::string key = keys.Get(i).As<Napi::String>().Utf8Value();
    api.call(kAddSessionConfigEntry, made, key.c_str(), entries.Get(key).As<Napi::String>().Utf8Value().c_str());
  }
  const auto open = [&] {
    Session* session = nullptr;
    api.call(kCreateSessionFromArray, static_cast<const Env*>(library.env), static_cast<const void*>(model.Data()), model.ByteLength(),
             static_cast<const SessionOptions*>(made), &session);
    return session;
  };
  if (!wanted.Get("operators").ToBoolean()) return open();
  api.call(kAddCustomOpDomain, made, library.domain);
  // The library looks whether it knows a domain and then adds it, without a lock: the first session must be alone.
  static std::mutex mutex;
  static bool known = false;
  std::unique_lock lock(mutex);
  if (known) {
    lock.unlock();
    return open();
  }
  Session* session = open();
  known = true;
  return session;
}

// Rethrows what the library says as an Error of JavaScript.
template <typename F>
auto in_javascript(Napi::Env env, F work) {
  try {
    return work();
  } catch (const Napi::Error&) {
    throw;
  } catch (const std::exception& error) {
    throw Napi::Error::New(env, error.what());
  }
}

struct SessionHandle {
  const Library& library;
  Session* session;

  void release() {
    if (session != nullptr) library.api.raw(kReleaseSession, session);
    session = nullptr;
  }
  ~SessionHandle() { release(); }
};

Napi::Value create_session(const Napi::CallbackInfo& info, const Library& library) {
  const Napi::Env env = info.Env();
  return in_javascript(env, [&]() -> Napi::Value {
    const auto handle = std::make_shared<SessionHandle>(SessionHandle{library, nullptr});
    handle->session = create(library, info[0].As<Napi::Uint8Array>(), info[1].As<Napi::Object>());
    Napi::Object session = Napi::Object::New(env);
    session.Set("run", Napi::Function::New(env, [handle](const Napi::CallbackInfo& call) -> Napi::Value {
                  return in_javascript(call.Env(), [&]() -> Napi::Value {
                    if (handle->session == nullptr) throw std::runtime_error("the session has been released");
                    Call run(handle->library);
                    const Napi::Array feeds = call[0].As<Napi::Array>(), fetches = call[1].As<Napi::Array>();
                    for (uint32_t i = 0; i < feeds.Length(); i++) run.feed(feeds.Get(i).As<Napi::Object>());
                    for (uint32_t i = 0; i < fetches.Length(); i++) run.fetch(fetches.Get(i).As<Napi::String>().Utf8Value());
                    run.run(handle->session);
                    return run.results(call.Env());
                  });
                }));
    session.Set("release", Napi::Function::New(env, [handle](const Napi::CallbackInfo&) { handle->release(); }));
    return session;
  });
}

}  // namespace

Napi::Value open_onnx_runtime(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return in_javascript(env, [&]() -> Napi::Value {
    const Library& library = load(info[0].As<Napi::String>().Utf8Value());
    Napi::Object runtime = Napi::Object::New(env);
    runtime.Set("version", library.version);
    runtime.Set("createSession", Napi::Function::New(env, [&library](const Napi::CallbackInfo& call) { return create_session(call, library); }));
    return runtime;
  });
}

}  // namespace tundish
