// Options of devices, contexts and graphs. Each call takes a null-terminated list of pointers to Configuration, whose option 0
// points at an option of the backend's own. Provenance as in interface.h.
#pragma once

#include "interface.h"

namespace tundish::qnn::abi {

constexpr uint32_t kCustom = 0;

struct Configuration {
  uint32_t option;
  void* custom;
};
static_assert(sizeof(Configuration) == 16 && offsetof(Configuration, custom) == 8);

// The value lies at word 2 in builds 2.47 and 2.51, at word 1 in 2.49: the id stands in both, in a block that is zero elsewhere.
// The option that names an architecture moves in the same way and is silently misread, so that it is never used.
struct HtpDeviceSoc {
  uint32_t option;
  uint32_t soc_here;
  uint32_t soc_or_there;
  uint32_t zero[13];
};
static_assert(sizeof(HtpDeviceSoc) == 64);

enum HtpContextOption : uint32_t { kWeightSharing = 1 };

struct HtpContext {
  uint32_t option;
  union {
    bool flag;
    uint64_t reserved[2];
  };
};
static_assert(sizeof(HtpContext) == 24 && offsetof(HtpContext, flag) == 8);

enum HtpGraphOption : uint32_t { kOptimization = 1, kPrecision = 2, kVtcmMegabytes = 3, kHvxThreads = 6 };
enum HtpOptimization : uint32_t { kFinalizeLevel = 3, kDlbc = 4, kDlbcWeights = 5 };
constexpr uint32_t kFloat16 = 1;

struct HtpGraph {
  uint32_t option;
  union {
    uint32_t number;
    struct {
      uint32_t type;
      float value;
    } optimization;
    uint64_t reserved[6];
  };
};
static_assert(sizeof(HtpGraph) == 56 && offsetof(HtpGraph, number) == 8);

enum IrGraphOption : uint32_t { kSerialization = 1 };
constexpr uint32_t kFlatBuffer = 1;

// Block and path are read by graphFinalize, long after graphCreate.
struct IrGraph {
  uint32_t option;
  struct {
    uint32_t form;
    const char* path;
  } serialization;
};
static_assert(sizeof(IrGraph) == 24 && offsetof(IrGraph, serialization) == 8);

}  // namespace tundish::qnn::abi
