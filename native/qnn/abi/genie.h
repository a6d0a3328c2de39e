// The vendor's Genie library: functions that are known by their name, and values that cross them. Names, order of parameters and
// values are those of the public API reference; they were tried on Genie 1.18, 1.20 and 1.21. Nothing here is taken from a header of the vendor.
#pragma once

#include <cstdarg>
#include <cstddef>
#include <cstdint>

namespace tundish::qnn::abi::genie {

// 0 is success, above it are warnings with a result, below it failures.
using Status = int32_t;
using Handle = const void*;

// What a query is of a sentence; pieces of an answer come with such codes too.
enum SentenceCode : int32_t { kComplete = 0 };

using LogCallback = void (*)(Handle log, const char* format, int32_t level, uint64_t timestamp, va_list arguments);
using TextCallback = void (*)(const char* text, int32_t code, const void* user);
using TokenCallback = void (*)(const uint32_t* tokens, uint32_t count, int32_t code, const void* user);
// Gives memory that the caller of the library owns.
using Allocate = void (*)(size_t bytes, const char** memory);

// One type a function, so that the table of genie.cpp is checked by the compiler.
using GetVersion = uint32_t (*)();
using Free = Status (*)(Handle);
using LogCreate = Status (*)(Handle config, LogCallback callback, int32_t level, Handle* log);
using ProfileCreate = Status (*)(Handle config, Handle* profile);
using ProfileGetJson = Status (*)(Handle profile, Allocate allocate, const char** json);
using ConfigCreate = Status (*)(const char* json, Handle* config);
using ConfigBind = Status (*)(Handle config, Handle bound);
using DialogCreate = Status (*)(Handle config, Handle* dialog);
using DialogQuery = Status (*)(Handle dialog, const char* text, int32_t code, TextCallback callback, const void* user);
using DialogTokenQuery = Status (*)(Handle dialog, const uint32_t* tokens, uint32_t count, int32_t code, TokenCallback callback, const void* user);
using DialogCall = Status (*)(Handle dialog);
using DialogText = Status (*)(Handle dialog, const char* text);
using DialogSetMaxNumTokens = Status (*)(Handle dialog, uint32_t count);
using DialogGetTokenizer = Status (*)(Handle dialog, Handle* tokenizer);
using TokenizerEncode = Status (*)(Handle tokenizer, const char* text, Allocate allocate, const int32_t** tokens, uint32_t* count);

}  // namespace tundish::qnn::abi::genie
