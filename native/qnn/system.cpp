#include "system.h"

#include "binary_info.h"
#include "javascript.h"
#include "library.h"
#include "mapped_file.h"

namespace tundish::qnn {
namespace {

// Minor versions whose slots were measured: those of QAIRT 2.47, 2.49 and 2.51.
bool is_known(const abi::Version& version) { return version.major == 1 && (version.minor == 11 || version.minor == 13 || version.minor == 15); }

// A handle of the System library, freed at the end of the scope: what it says lies in its memory.
class SystemContext {
 public:
  explicit SystemContext(const SystemLibrary& system) : system_(system) { system_.call("systemContextCreate", abi::kSystemCreate, &handle_); }
  ~SystemContext() { reinterpret_cast<abi::Result (*)(abi::Handle)>(abi::table_of(&system_.provider())[abi::kSystemFree])(handle_); }
  SystemContext(const SystemContext&) = delete;
  SystemContext& operator=(const SystemContext&) = delete;
  abi::Handle handle() const { return handle_; }

 private:
  const SystemLibrary& system_;
  abi::Handle handle_ = nullptr;
};

Napi::Value inspect(Napi::Env env, const SystemLibrary& system, const std::string& path) {
  const auto file = MappedFile::open_filled(path);
  const SystemContext context(system);
  const abi::BinaryInfo* info = nullptr;
  system.call("systemContextGetMetaData", abi::kSystemGetMetadata, context.handle(), static_cast<const void*>(file->data()), static_cast<uint64_t>(file->bytes()), &info);
  if (info == nullptr) throw Failure("systemContextGetMetaData", 0, "the library says nothing about " + path);
  return describe_binary(env, *info);
}

}  // namespace

SystemLibrary::SystemLibrary(const std::string& path) {
  const auto get = reinterpret_cast<abi::GetSystemProviders>(exported(load_library(path), "QnnSystemInterface_getProviders", path));
  const abi::SystemProvider** providers = nullptr;
  uint32_t count = 0;
  if (get(&providers, &count) != 0 || count == 0 || providers == nullptr) throw Failure("providers", 0, path + " offers no interface");
  provider_ = providers[0];
  if (!is_known(provider_->api)) throw Failure("version", 0, path + " has System API " + text_of(provider_->api) + "; known are 1.11, 1.13 and 1.15");
}

Napi::Value open_system(const Napi::CallbackInfo& info) {
  return in_javascript(info.Env(), [&]() -> Napi::Value {
    const auto system = std::make_shared<const SystemLibrary>(text_at(info, 0));
    Napi::Object object = Napi::Object::New(info.Env());
    object.Set("api", text_of(system->provider().api));
    set_function(object, "inspect", [system](const Napi::CallbackInfo& call) { return inspect(call.Env(), *system, text_at(call, 0)); });
    return object;
  });
}

}  // namespace tundish::qnn
