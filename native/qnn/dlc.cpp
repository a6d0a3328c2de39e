#include "dlc.h"

#include <cstdlib>
#include <cstring>

#include "binary_info.h"
#include "log.h"
#include "system.h"

namespace tundish::qnn {
namespace {

struct Composed {
  abi::GraphInfo* graphs = nullptr;
  uint32_t count = 0;
};

// The interface goes by value, so that its size, which differs by version, is part of the call.
template <size_t Bytes>
Composed compose(const SystemLibrary& system, abi::Handle dlc, const abi::Provider& provider, abi::Handle backend, abi::Handle context) {
  abi::InterfaceCopy<Bytes> copy;
  std::memcpy(copy.bytes, &provider, Bytes);
  Composed composed;
  constexpr uint32_t kGraphInfoVersion = 1;
  system.call("dlcComposeGraphs", abi::kDlcComposeGraphs, dlc, static_cast<const void**>(nullptr), uint32_t{0}, backend, context, copy, kGraphInfoVersion, &composed.graphs, &composed.count);
  return composed;
}

struct Dlc {
  const SystemLibrary& system;
  abi::Handle log = nullptr;
  abi::Handle handle = nullptr;

  Dlc(const SystemLibrary& library, const std::string& path) : system(library) {
    constexpr uint32_t kWarnings = 2;
    system.call("systemLogCreate", abi::kSystemLogCreate, reinterpret_cast<void*>(write_log), kWarnings, &log);
    system.call("dlcCreateFromFile", abi::kDlcCreateFromFile, log, path.c_str(), &handle);
  }
};

}  // namespace

Napi::Value compose_dlc(Napi::Env env, const std::string& library, const std::string& path, const abi::Provider& provider, abi::Handle backend, abi::Handle context) {
  const SystemLibrary system(library);
  // Never freed: the composed graphs may refer to it until the process, which exists for one container, ends.
  const Dlc dlc(system, path);
  const size_t bytes = abi::interface_bytes(provider.api.core.minor);
  const Composed composed = bytes == 616 ? compose<616>(system, dlc.handle, provider, backend, context) : compose<640>(system, dlc.handle, provider, backend, context);
  Napi::Array graphs = Napi::Array::New(env, composed.count);
  for (uint32_t i = 0; i < composed.count; i++) graphs.Set(i, describe_graph(env, composed.graphs[i]));
  return graphs;
}

}  // namespace tundish::qnn
