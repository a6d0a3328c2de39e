#include "genie.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

#include "abi/genie.h"
#include "javascript.h"
#include "library.h"
#include "log.h"

namespace tundish::qnn {
namespace {

namespace genie = abi::genie;

abi::Version version_of(void* library, const std::string& path) {
  const auto number = [&](const char* symbol) { return reinterpret_cast<genie::GetVersion>(exported(library, symbol, path))(); };
  return {number("Genie_getApiMajorVersion"), number("Genie_getApiMinorVersion"), number("Genie_getApiPatchVersion")};
}

class GenieLibrary {
 public:
  explicit GenieLibrary(const std::string& path) : path_(path), library_(load_library(path)) {
    const abi::Version version = version_of(library_, path);
    if (version.major != 1) throw Failure("version", 0, path + " has Genie API " + text_of(version) + "; known is 1");
  }

  template <typename Function, typename... Arguments>
  genie::Status status_of(const char* symbol, Arguments... arguments) const {
    return reinterpret_cast<Function>(exported(library_, symbol, path_))(arguments...);
  }

  template <typename Function, typename... Arguments>
  void call(const char* symbol, Arguments... arguments) const {
    const genie::Status status = status_of<Function>(symbol, arguments...);
    if (status != 0) throw Failure(symbol, status, "");
  }

 private:
  std::string path_;
  void* library_;
};

struct Dialog {
  std::unique_ptr<const GenieLibrary> library;
  genie::Handle log = nullptr;
  genie::Handle profile = nullptr;
  genie::Handle config = nullptr;
  genie::Handle dialog = nullptr;
};

// What a query gives, piece by piece, and the code of the last piece.
template <typename T>
struct Answer {
  std::vector<T> pieces;
  int32_t end = -1;
};

void take_line(genie::Handle, const char* format, int32_t level, uint64_t timestamp, va_list arguments) { write_log(format, static_cast<uint32_t>(level), timestamp, arguments); }

void take_text(const char* text, int32_t code, const void* user) {
  auto& answer = *static_cast<Answer<char>*>(const_cast<void*>(user));
  if (text != nullptr) answer.pieces.insert(answer.pieces.end(), text, text + std::strlen(text));
  answer.end = code;
}

void take_tokens(const uint32_t* tokens, uint32_t count, int32_t code, const void* user) {
  auto& answer = *static_cast<Answer<uint32_t>*>(const_cast<void*>(user));
  if (tokens != nullptr) answer.pieces.insert(answer.pieces.end(), tokens, tokens + count);
  answer.end = code;
}

void allocate(size_t bytes, const char** memory) { *memory = static_cast<const char*>(std::malloc(bytes == 0 ? 1 : bytes)); }

// Memory that the library had allocated.
struct Freed {
  void operator()(const void* memory) const { std::free(const_cast<void*>(memory)); }
};

// A C string would end at the first zero.
std::string whole_text_at(const Napi::CallbackInfo& info, size_t index) {
  std::string text = text_at(info, index);
  if (text.find('\0') != std::string::npos) throw Failure("arguments", 0, "a text with a zero in it");
  return text;
}

Napi::Object answer_object(Napi::Env env, genie::Status status, int32_t end) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("status", status);
  object.Set("end", end);
  return object;
}

// Warnings come with a result.
genie::Status require_answer(const char* symbol, genie::Status status) {
  if (status < 0) throw Failure(symbol, status, "");
  return status;
}

void set_most_tokens(const Dialog& dialog, const Napi::Value& count) {
  dialog.library->call<genie::DialogSetMaxNumTokens>("GenieDialog_setMaxNumTokens", dialog.dialog, count.ToNumber().Uint32Value());
}

Napi::Value generate_tokens(const Dialog& dialog, const Napi::CallbackInfo& info) {
  const ByteSpan prompt = bytes_of(info[0], "the prompt");
  if (prompt.bytes % sizeof(uint32_t) != 0) throw Failure("arguments", 0, "tokens have four bytes each");
  set_most_tokens(dialog, info[1]);
  Answer<uint32_t> answer;
  const genie::Status status = require_answer("GenieDialog_tokenQuery",
      dialog.library->status_of<genie::DialogTokenQuery>("GenieDialog_tokenQuery", dialog.dialog, reinterpret_cast<const uint32_t*>(prompt.data), static_cast<uint32_t>(prompt.bytes / sizeof(uint32_t)), genie::kComplete,
                                                         take_tokens, static_cast<const void*>(&answer)));
  Napi::Uint32Array tokens = Napi::Uint32Array::New(info.Env(), answer.pieces.size());
  std::copy(answer.pieces.begin(), answer.pieces.end(), tokens.Data());
  Napi::Object object = answer_object(info.Env(), status, answer.end);
  object.Set("tokens", tokens);
  return object;
}

Napi::Value generate_text(const Dialog& dialog, const Napi::CallbackInfo& info) {
  const std::string prompt = whole_text_at(info, 0);
  set_most_tokens(dialog, info[1]);
  Answer<char> answer;
  const genie::Status status = require_answer("GenieDialog_query",
      dialog.library->status_of<genie::DialogQuery>("GenieDialog_query", dialog.dialog, prompt.c_str(), genie::kComplete, take_text, static_cast<const void*>(&answer)));
  Napi::Object object = answer_object(info.Env(), status, answer.end);
  object.Set("text", Napi::String::New(info.Env(), answer.pieces.data(), answer.pieces.size()));
  return object;
}

Napi::Value encode(const Dialog& dialog, const Napi::CallbackInfo& info) {
  const std::string text = whole_text_at(info, 0);
  genie::Handle tokenizer = nullptr;
  dialog.library->call<genie::DialogGetTokenizer>("GenieDialog_getTokenizer", dialog.dialog, &tokenizer);
  const int32_t* found = nullptr;
  uint32_t count = 0;
  dialog.library->call<genie::TokenizerEncode>("GenieTokenizer_encode", tokenizer, text.c_str(), allocate, &found, &count);
  const std::unique_ptr<const int32_t, Freed> owner(found);
  Napi::Int32Array tokens = Napi::Int32Array::New(info.Env(), count);
  std::copy_n(found, count, tokens.Data());
  return tokens;
}

Napi::Value profile(const Dialog& dialog, Napi::Env env) {
  const char* json = nullptr;
  dialog.library->call<genie::ProfileGetJson>("GenieProfile_getJsonData", dialog.profile, allocate, &json);
  const std::unique_ptr<const char, Freed> owner(json);
  return Napi::String::New(env, json == nullptr ? "" : json);
}

// What holds others goes first.
void free_all(Dialog& dialog) {
  const auto release = [&](const char* symbol, genie::Handle& handle) {
    const genie::Handle held = handle;
    handle = nullptr;
    if (held != nullptr) dialog.library->call<genie::Free>(symbol, held);
  };
  release("GenieDialog_free", dialog.dialog);
  release("GenieDialogConfig_free", dialog.config);
  release("GenieProfile_free", dialog.profile);
  release("GenieLog_free", dialog.log);
}

Napi::Object dialog_object(Napi::Env env, std::shared_ptr<Dialog> dialog) {
  Napi::Object object = Napi::Object::New(env);
  const auto set_text_call = [&](const char* name, const char* symbol) {
    set_function(object, name, [dialog, symbol](const Napi::CallbackInfo& info) {
      return dialog->library->call<genie::DialogText>(symbol, dialog->dialog, whole_text_at(info, 0).c_str()), info.Env().Undefined();
    });
  };
  set_function(object, "generateTokens", [dialog](const Napi::CallbackInfo& info) { return generate_tokens(*dialog, info); });
  set_function(object, "generateText", [dialog](const Napi::CallbackInfo& info) { return generate_text(*dialog, info); });
  set_function(object, "encode", [dialog](const Napi::CallbackInfo& info) { return encode(*dialog, info); });
  set_function(object, "profile", [dialog](const Napi::CallbackInfo& info) { return profile(*dialog, info.Env()); });
  set_function(object, "reset", [dialog](const Napi::CallbackInfo& info) {
    return dialog->library->call<genie::DialogCall>("GenieDialog_reset", dialog->dialog), info.Env().Undefined();
  });
  set_text_call("save", "GenieDialog_save");
  set_text_call("restore", "GenieDialog_restore");
  set_text_call("setStopSequence", "GenieDialog_setStopSequence");
  set_function(object, "free", [dialog](const Napi::CallbackInfo& info) { return free_all(*dialog), info.Env().Undefined(); });
  return object;
}

}  // namespace

Napi::Value genie_version(const Napi::CallbackInfo& info) {
  return in_javascript(info.Env(), [&]() -> Napi::Value {
    const std::string path = text_at(info, 0);
    return Napi::String::New(info.Env(), text_of(version_of(load_library(path), path)));
  });
}

Napi::Value open_dialog(const Napi::CallbackInfo& info) {
  return in_javascript(info.Env(), [&]() -> Napi::Value {
    auto dialog = std::make_shared<Dialog>();
    dialog->library = std::make_unique<const GenieLibrary>(text_at(info, 0));
    const GenieLibrary& library = *dialog->library;
    const std::string config = whole_text_at(info, 1);
    library.call<genie::LogCreate>("GenieLog_create", genie::Handle(nullptr), take_line, info[2].ToNumber().Int32Value(), &dialog->log);
    library.call<genie::ProfileCreate>("GenieProfile_create", genie::Handle(nullptr), &dialog->profile);
    library.call<genie::ConfigCreate>("GenieDialogConfig_createFromJson", config.c_str(), &dialog->config);
    // Both before the dialog: it takes them when it is made.
    library.call<genie::ConfigBind>("GenieDialogConfig_bindLogger", dialog->config, dialog->log);
    library.call<genie::ConfigBind>("GenieDialogConfig_bindProfiler", dialog->config, dialog->profile);
    library.call<genie::DialogCreate>("GenieDialog_create", dialog->config, &dialog->dialog);
    return dialog_object(info.Env(), dialog);
  });
}

}  // namespace tundish::qnn
