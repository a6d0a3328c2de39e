// The solvers as functions of JavaScript.
#pragma once

#include <napi.h>

#include <string>

namespace tundish {

// An object with one function for each solver, in the variant `isa`, which must be one that this machine can run.
Napi::Object bind_solvers(Napi::Env env, const std::string& isa);

}  // namespace tundish
