// How a backend library presents itself: an id, versions, and a table of functions that are known by their slot.
// Sizes, offsets and slot numbers were measured by calling the libraries of QAIRT 2.47, 2.49 and 2.51 on x86_64 (LP64);
// names of functions are those of the public API reference. Nothing here is taken from a header of the vendor.
#pragma once

#include <cstddef>
#include <cstdint>

namespace tundish::qnn::abi {

// The low 16 bits are the code; 0 is success.
using Result = uint64_t;
using Handle = void*;
using Function = void (*)();

struct Version {
  uint32_t major, minor, patch;
};

struct ApiVersion {
  Version core, backend;
};

// What stands in front of the table. The table only ever grows at its end.
struct Provider {
  uint32_t backend_id;
  const char* name;
  ApiVersion api;
};
static_assert(sizeof(Version) == 12 && sizeof(ApiVersion) == 24);
static_assert(sizeof(Provider) == 40 && offsetof(Provider, name) == 8 && offsetof(Provider, api) == 16);

using GetProviders = Result (*)(const Provider*** providers, uint32_t* count);

enum Slot : size_t {
  kBackendCreate = 1,
  kBackendGetBuildId = 4,
  kBackendGetSupportedOperations = 6,
  kBackendValidateOperation = 7,
  kBackendFree = 8,
  kContextCreate = 9,
  kContextGetBinarySize = 11,
  kContextGetBinary = 12,
  kContextCreateFromBinary = 13,
  kContextFree = 14,
  kGraphCreate = 15,
  kGraphAddNode = 18,
  kGraphFinalize = 19,
  kGraphRetrieve = 20,
  kGraphExecute = 21,
  kTensorCreateGraphTensor = 24,
  kLogCreate = 25,
  kLogFree = 27,
  kDeviceCreate = 40,
  kDeviceFree = 43,
  kErrorGetMessage = 48,
};

inline const Function* table_of(const Provider* provider) { return reinterpret_cast<const Function*>(provider + 1); }

// One entry of the list of supported operations.
struct OperationName {
  const char* package;
  const char* name;
  const char* target;
};
static_assert(sizeof(OperationName) == 24);

// Bytes of provider and table together, which one call takes by value. Every other size tried ends in a crash.
constexpr size_t interface_bytes(uint32_t core_minor) {
  return core_minor == 36 || core_minor == 38 ? 616 : core_minor == 40 ? 640 : 0;
}

// The whole interface by value: larger than 16 bytes, so that it lies in memory whatever its fields are.
template <size_t Bytes>
struct InterfaceCopy {
  alignas(8) unsigned char bytes[Bytes];
};
static_assert(sizeof(InterfaceCopy<616>) == 616 && sizeof(InterfaceCopy<640>) == 640);

}  // namespace tundish::qnn::abi
