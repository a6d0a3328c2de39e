// What the libraries say about binaries and graphs, as plain objects of ts/qnn/binary-info.ts.
#pragma once

#include <napi.h>

#include "abi/binary_info.h"

namespace tundish::qnn {

Napi::Object describe_binary(Napi::Env env, const abi::BinaryInfo& info);
Napi::Object describe_graph(Napi::Env env, const abi::GraphInfo& graph);

}  // namespace tundish::qnn
