// Fills a table with the steps as compiled for the including variant.
#pragma once

#include "ada_scale.h"
#include "sign_round.h"

namespace {

constexpr tundish::ReconstructionTable make_table(const char* isa) {
  return {isa, ada_scale_grid, ada_scale_values, ada_scale_step, sign_round_values, sign_round_step};
}

}  // namespace
