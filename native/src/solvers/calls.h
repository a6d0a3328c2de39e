// The solvers as functions of JavaScript.
#pragma once

#include <napi.h>

#include "table.h"

namespace tundish {

// The variant of that name, which this machine must be able to run.
const SolverTable& solver_table(const char* family);

// An object with one function for each solver.
Napi::Object bind_solvers(Napi::Env env, const SolverTable& table);

}  // namespace tundish
