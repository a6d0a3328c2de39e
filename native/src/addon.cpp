// The module tundish.node: { version, variants, kernels(isa), algebra(isa), productVariants, multiplyCodes, openOnnxRuntime(library) }.
#include <napi.h>

#include "algebra/calls.h"
#include "calls.h"
#include "onnx/session.h"
#include "products/calls.h"
#include "variants.h"
#include "version.h"

namespace {

// The functions that `bind` makes for the variant that JavaScript names.
template <Napi::Object (*bind)(Napi::Env, const tundish::KernelTable&)>
Napi::Value of_variant(const Napi::CallbackInfo& info) {
  const std::string isa = info[0].ToString().Utf8Value();
  const tundish::KernelTable* table = tundish::find_variant(isa);
  if (table == nullptr) throw Napi::RangeError::New(info.Env(), "variant " + isa + " cannot run on this machine");
  return bind(info.Env(), *table);
}

Napi::Object initialize(Napi::Env env, Napi::Object exports) {
  Napi::Array names = Napi::Array::New(env);
  uint32_t index = 0;
  for (const tundish::KernelTable* table : tundish::variants()) names.Set(index++, table->isa);
  exports.Set("version", TUNDISH_KERNEL_VERSION);
  exports.Set("variants", names);
  exports.Set("kernels", Napi::Function::New(env, of_variant<tundish::bind_kernels>, "kernels"));
  exports.Set("algebra", Napi::Function::New(env, of_variant<tundish::bind_algebra>, "algebra"));
  exports.Set("productVariants", tundish::product_variants(env));
  exports.Set("multiplyCodes", Napi::Function::New(env, tundish::multiply_codes, "multiplyCodes"));
  exports.Set("openOnnxRuntime", Napi::Function::New(env, tundish::open_onnx_runtime, "openOnnxRuntime"));
  return exports;
}

}  // namespace

NODE_API_MODULE(tundish, initialize)
