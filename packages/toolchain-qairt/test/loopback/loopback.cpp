// A library with the interface of a backend and of the System library, in our own declarations: it says what a test needs said.
// The name of a graph chooses what finalizing it does. CORE_MINOR and BUILD_ID choose what it says it is.
#include <unistd.h>

#include <cstdarg>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <thread>

#include "abi/binary_info.h"
#include "abi/configuration.h"

using namespace tundish::qnn::abi;

namespace {

using Log = void (*)(const char*, uint32_t, uint64_t, va_list);
Log log_callback = nullptr;

void say(uint32_t level, const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  if (log_callback != nullptr) log_callback(format, level, 0, arguments);
  va_end(arguments);
}

struct Graph {
  const char* name;
} graph;

Result get_build_id(const char** id) { return *id = BUILD_ID, 0; }
Result create_log(Log callback, uint32_t, Handle* log) { return log_callback = callback, *log = &graph, 0; }
Result create_backend(Handle, const void*, Handle* backend) { return *backend = &graph, 0; }
Result create_device(Handle, const Configuration** list, Handle* device) {
  const auto* words = static_cast<const uint32_t*>(list[0]->custom);
  if (words[1] != words[2] || words[1] == 9999) return 14001;
  return *device = &graph, 0;
}
Result create_context(Handle, Handle, const void*, Handle* context) { return *context = &graph, 0; }
Result create_graph(Handle, const char* name, const void*, Handle* made) { return graph.name = strdup(name), *made = &graph, 0; }
Result create_tensor(Handle, Tensor* tensor) { return tensor->fields.id = 7, 0; }
Result free_handle(Handle, Handle) { return 0; }

Result finalize(Handle, Handle, Handle) {
  const std::string_view name = graph.name;
  if (name == "crash") {
    say(1, "%s before the end, %d", "words", 42);
    abort();
  }
  if (name == "hang") {
    for (;;) pause();
  }
  if (name == "unsupported") {
    std::thread([] { say(1, "\"%s\" generated: could not create op", "node_7"); }).join();
    return 1002;
  }
  if (name == "warned") say(2, "no properties registered for q::%s", "Add");
  if (name == "warned" || name == "memory") return 1002;
  return 0;
}

Result load(Handle, Handle, const void*, const void*, uint64_t, Handle*, Handle) { return 30010; }

Provider provider{6, "LOOPBACK", {{2, CORE_MINOR, 0}, {5, 1, 2}}};
struct Interface {
  Provider head = provider;
  Function table[75] = {};
} interface;
const Provider* providers[] = {&interface.head};

template <typename F>
Function slot(F function) {
  return reinterpret_cast<Function>(function);
}

Result system_create(Handle* handle) { return *handle = &graph, 0; }
Result system_metadata(Handle, const void*, uint64_t, const void**) { return 30010; }
struct System {
  SystemProvider head{0, "SYSTEM", {1, 15, 0}};
  Function table[16] = {};
} system_interface;
const SystemProvider* systems[] = {&system_interface.head};

}  // namespace

extern "C" Result QnnInterface_getProviders(const Provider*** list, uint32_t* count) {
  Function* table = interface.table;
  table[kBackendGetBuildId] = slot(get_build_id);
  table[kLogCreate] = slot(create_log);
  table[kBackendCreate] = slot(create_backend);
  table[kDeviceCreate] = slot(create_device);
  table[kContextCreate] = slot(create_context);
  table[kContextCreateFromBinary] = slot(load);
  table[kContextFree] = slot(free_handle);
  table[kGraphCreate] = slot(create_graph);
  table[kGraphFinalize] = slot(finalize);
  table[kTensorCreateGraphTensor] = slot(create_tensor);
  return *list = providers, *count = 1, 0;
}

extern "C" Result QnnSystemInterface_getProviders(const SystemProvider*** list, uint32_t* count) {
  system_interface.table[kSystemCreate] = slot(system_create);
  system_interface.table[kSystemGetMetadata] = slot(system_metadata);
  system_interface.table[kSystemFree] = slot(free_handle);
  return *list = systems, *count = 1, 0;
}
