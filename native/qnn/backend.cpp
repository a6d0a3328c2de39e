#include "backend.h"

#include <unistd.h>

#include "dlc.h"
#include "graph.h"
#include "javascript.h"
#include "log.h"

namespace tundish::qnn {
namespace {

struct Backend {
  std::shared_ptr<const Library> library;
  abi::Handle log = nullptr;
  abi::Handle handle = nullptr;
  abi::Handle device = nullptr;
};

struct Context {
  std::shared_ptr<Backend> backend;
  abi::Handle handle = nullptr;
  std::shared_ptr<FileMaps> files = std::make_shared<FileMaps>();
  // What the context was loaded from; read as long as it lives.
  std::shared_ptr<MappedFile> binary;

  const Library& library() const { return *backend->library; }
};

void write_binary(const Context& context, const std::string& path, uint64_t& written) {
  uint64_t bytes = 0;
  context.library().call("contextGetBinarySize", abi::kContextGetBinarySize, context.handle, &bytes);
  const auto file = MappedFile::create(path, bytes);
  try {
    context.library().call("contextGetBinary", abi::kContextGetBinary, context.handle, static_cast<void*>(file->data()), bytes, &written);
    if (written != bytes && ::truncate(path.c_str(), static_cast<off_t>(written)) != 0) throw Failure("write", 0, path + " cannot be cut to its size");
  } catch (...) {
    ::unlink(path.c_str());
    throw;
  }
}

Napi::Object graph_object(Napi::Env env, std::shared_ptr<Context> context, std::shared_ptr<Graph> graph) {
  Napi::Object object = Napi::Object::New(env);
  // The context outlives its graphs: every function keeps both.
  set_function(object, "addTensor", [context, graph](const Napi::CallbackInfo& info) { return graph->add_tensor(object_at(info, 0)), info.Env().Undefined(); });
  set_function(object, "addOperation", [context, graph](const Napi::CallbackInfo& info) { return graph->add_operation(object_at(info, 0)), info.Env().Undefined(); });
  set_function(object, "validate", [context, graph](const Napi::CallbackInfo& info) {
    return Napi::Number::New(info.Env(), static_cast<double>(graph->validate(context->backend->handle, object_at(info, 0))));
  });
  set_function(object, "finalize", [context, graph](const Napi::CallbackInfo& info) { return graph->finalize(), info.Env().Undefined(); });
  set_function(object, "execute", [context, graph](const Napi::CallbackInfo& info) { return graph->execute(object_at(info, 0)); });
  return object;
}

Napi::Object context_object(Napi::Env env, std::shared_ptr<Context> context) {
  Napi::Object object = Napi::Object::New(env);
  set_function(object, "createGraph", [context](const Napi::CallbackInfo& info) {
    auto graph = std::make_shared<Graph>(context->backend->library, context->files);
    graph->create(context->handle, text_at(info, 0), object_at(info, 1));
    return graph_object(info.Env(), context, graph);
  });
  set_function(object, "openGraph", [context](const Napi::CallbackInfo& info) {
    auto graph = std::make_shared<Graph>(context->backend->library, context->files);
    graph->retrieve(context->handle, text_at(info, 0), object_at(info, 1).As<Napi::Array>(), object_at(info, 2).As<Napi::Array>());
    return graph_object(info.Env(), context, graph);
  });
  set_function(object, "composeDlc", [context](const Napi::CallbackInfo& info) {
    return compose_dlc(info.Env(), text_at(info, 0), text_at(info, 1), context->backend->library->provider(), context->backend->handle, context->handle);
  });
  set_function(object, "writeBinary", [context](const Napi::CallbackInfo& info) {
    uint64_t written = 0;
    write_binary(*context, text_at(info, 0), written);
    return Napi::Number::New(info.Env(), static_cast<double>(written));
  });
  set_function(object, "free", [context](const Napi::CallbackInfo& info) {
    if (context->handle != nullptr) context->library().call("contextFree", abi::kContextFree, context->handle, abi::Handle(nullptr));
    context->handle = nullptr;
    return info.Env().Undefined();
  });
  return object;
}

void create_device(Backend& backend, uint32_t soc) {
  abi::HtpDeviceSoc choice{};
  choice.soc_here = choice.soc_or_there = soc;
  const abi::Configuration configuration{abi::kCustom, &choice};
  const abi::Configuration* list[] = {&configuration, nullptr};
  backend.library->call("deviceCreate", abi::kDeviceCreate, backend.log, static_cast<const abi::Configuration**>(list), &backend.device);
}

Napi::Value create_context(const Napi::CallbackInfo& info, std::shared_ptr<Backend> backend) {
  const Napi::Object options = object_at(info, 0);
  abi::HtpContext sharing{abi::kWeightSharing, {true}};
  const abi::Configuration configuration{abi::kCustom, &sharing};
  const abi::Configuration* list[] = {&configuration, nullptr};
  const bool is_shared = has(options, "weightSharing") && options.Get("weightSharing").ToBoolean();
  auto context = std::make_shared<Context>();
  context->backend = backend;
  // Without options no list at all: the IR backend refuses an empty one.
  backend->library->call("contextCreate", abi::kContextCreate, backend->handle, backend->device, is_shared ? static_cast<const abi::Configuration**>(list) : nullptr, &context->handle);
  return context_object(info.Env(), context);
}

Napi::Value load_context(const Napi::CallbackInfo& info, std::shared_ptr<Backend> backend) {
  auto context = std::make_shared<Context>();
  context->backend = backend;
  context->binary = MappedFile::open_filled(text_at(info, 0));
  backend->library->call("contextCreateFromBinary", abi::kContextCreateFromBinary, backend->handle, backend->device, static_cast<const abi::Configuration**>(nullptr),
                         static_cast<const void*>(context->binary->data()), static_cast<uint64_t>(context->binary->bytes()), &context->handle, abi::Handle(nullptr));
  return context_object(info.Env(), context);
}

Napi::Value operations_of(Napi::Env env, const Backend& backend) {
  const abi::OperationName* names = nullptr;
  uint32_t count = 0;
  backend.library->call("backendGetSupportedOperations", abi::kBackendGetSupportedOperations, backend.handle, &count, &names);
  Napi::Array list = Napi::Array::New(env, count);
  for (uint32_t i = 0; i < count; i++) list.Set(i, names[i].name);
  return list;
}

void close(Backend& backend) {
  if (backend.device != nullptr) backend.library->call("deviceFree", abi::kDeviceFree, backend.device);
  backend.device = nullptr;
  if (backend.handle != nullptr) backend.library->call("backendFree", abi::kBackendFree, backend.handle);
  backend.handle = nullptr;
  if (backend.log != nullptr) backend.library->call("logFree", abi::kLogFree, backend.log);
  backend.log = nullptr;
}

Napi::Object backend_object(Napi::Env env, std::shared_ptr<Backend> backend) {
  const abi::Provider& provider = backend->library->provider();
  const char* build = nullptr;
  backend->library->call("backendGetBuildId", abi::kBackendGetBuildId, &build);
  Napi::Object object = Napi::Object::New(env);
  object.Set("id", provider.backend_id);
  object.Set("name", provider.name == nullptr ? "" : provider.name);
  object.Set("coreApi", text_of(provider.api.core));
  object.Set("backendApi", text_of(provider.api.backend));
  object.Set("buildId", build == nullptr ? "" : build);
  set_function(object, "operations", [backend](const Napi::CallbackInfo& info) { return operations_of(info.Env(), *backend); });
  set_function(object, "createDevice", [backend](const Napi::CallbackInfo& info) { return create_device(*backend, info[0].ToNumber().Uint32Value()), info.Env().Undefined(); });
  set_function(object, "createContext", [backend](const Napi::CallbackInfo& info) { return create_context(info, backend); });
  set_function(object, "loadContext", [backend](const Napi::CallbackInfo& info) { return load_context(info, backend); });
  set_function(object, "close", [backend](const Napi::CallbackInfo& info) { return close(*backend), info.Env().Undefined(); });
  return object;
}

}  // namespace

Napi::Value open_backend(const Napi::CallbackInfo& info) {
  return in_javascript(info.Env(), [&]() -> Napi::Value {
    auto backend = std::make_shared<Backend>();
    backend->library = std::make_shared<const Library>(text_at(info, 0));
    const uint32_t level = info[1].ToNumber().Uint32Value();
    backend->library->call("logCreate", abi::kLogCreate, reinterpret_cast<void*>(write_log), level, &backend->log);
    backend->library->call("backendCreate", abi::kBackendCreate, backend->log, static_cast<const abi::Configuration**>(nullptr), &backend->handle);
    return backend_object(info.Env(), backend);
  });
}

}  // namespace tundish::qnn
