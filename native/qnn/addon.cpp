// The module tundish-qnn.node: { version, openBackend, openSystem, genieVersion, openDialog, takeLog, dieWithParent }, typed in ts/qnn/addon.ts.
#include <napi.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>

#include "backend.h"
#include "genie.h"
#include "log.h"
#include "system.h"
#include "version.h"

namespace {

Napi::Value take_log(const Napi::CallbackInfo& info) {
  Napi::Array lines = Napi::Array::New(info.Env());
  for (const tundish::qnn::LogLine& line : tundish::qnn::take_log()) {
    Napi::Object entry = Napi::Object::New(info.Env());
    entry.Set("level", line.level);
    entry.Set("text", line.text);
    lines.Set(lines.Length(), entry);
  }
  return lines;
}

// (parent) => void: a call of the library keeps this process from noticing that its parent is gone; the kernel ends it instead.
Napi::Value die_with_parent(const Napi::CallbackInfo& info) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != info[0].ToNumber().Int32Value()) ::raise(SIGKILL);
  return info.Env().Undefined();
}

Napi::Object initialize(Napi::Env env, Napi::Object exports) {
  // What the libraries print is to be seen even when the process ends in the middle.
  std::setvbuf(stdout, nullptr, _IOLBF, 4096);
  exports.Set("version", TUNDISH_QNN_VERSION);
  exports.Set("openBackend", Napi::Function::New(env, tundish::qnn::open_backend, "openBackend"));
  exports.Set("openSystem", Napi::Function::New(env, tundish::qnn::open_system, "openSystem"));
  exports.Set("genieVersion", Napi::Function::New(env, tundish::qnn::genie_version, "genieVersion"));
  exports.Set("openDialog", Napi::Function::New(env, tundish::qnn::open_dialog, "openDialog"));
  exports.Set("takeLog", Napi::Function::New(env, take_log, "takeLog"));
  exports.Set("dieWithParent", Napi::Function::New(env, die_with_parent, "dieWithParent"));
  return exports;
}

}  // namespace

NODE_API_MODULE(tundish_qnn, initialize)
