// The module tundish.node: { version, variants, kernels(isa), productVariants, multiplyCodes, openOnnxRuntime(library) }.
#include <napi.h>

#include "algebra/calls.h"
#include "calls.h"
#include "decoder/calls.h"
#include "onnx/session.h"
#include "products/calls.h"
#include "reconstruction/calls.h"
#include "solvers/calls.h"
#include "variants.h"
#include "version.h"

namespace {

// Every function of RawKernels in ts/kernels.ts, in the variant that JavaScript names.
Napi::Value kernels(const Napi::CallbackInfo& info) {
  const std::string isa = info[0].ToString().Utf8Value();
  const tundish::KernelTable* table = tundish::find_variant(isa);
  if (table == nullptr) throw Napi::RangeError::New(info.Env(), "variant " + isa + " cannot run on this machine");
  Napi::Object functions = tundish::bind_kernels(info.Env(), *table);
  functions.Set("algebra", tundish::bind_algebra(info.Env(), *table));
  functions.Set("decoder", tundish::bind_decoder(info.Env(), tundish::decoder_table(table->family)));
  functions.Set("solvers", tundish::bind_solvers(info.Env(), tundish::solver_table(table->family)));
  functions.Set("reconstruction", tundish::bind_reconstruction(info.Env(), tundish::reconstruction_table(table->family)));
  return functions;
}

Napi::Object initialize(Napi::Env env, Napi::Object exports) {
  Napi::Array names = Napi::Array::New(env);
  uint32_t index = 0;
  for (const tundish::KernelTable* table : tundish::variants()) names.Set(index++, table->isa);
  exports.Set("version", TUNDISH_KERNEL_VERSION);
  exports.Set("variants", names);
  exports.Set("kernels", Napi::Function::New(env, kernels, "kernels"));
  exports.Set("productVariants", tundish::product_variants(env));
  exports.Set("multiplyCodes", Napi::Function::New(env, tundish::multiply_codes, "multiplyCodes"));
  exports.Set("openOnnxRuntime", Napi::Function::New(env, tundish::open_onnx_runtime, "openOnnxRuntime"));
  return exports;
}

}  // namespace

NODE_API_MODULE(tundish, initialize)
