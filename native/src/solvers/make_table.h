// Fills a table with the solvers as compiled for the including variant.
#pragma once

#include "descent.h"
#include "feedback.h"
#include "search_candidates.h"
#include "search_lpbq.h"

namespace {

void round_to_grid(const float* w, size_t k, const tundish::Grid& grid, int8_t* codes, size_t row_begin, size_t row_end) {
  const size_t blocks = k / grid.block;
  for (size_t block = row_begin * blocks; block < row_end * blocks; block++) {
    round_codes(w + block * grid.block, grid.block, grid.scale[block], grid.low, grid.high, 0.0f, codes + block * grid.block);
  }
}

template <const tundish::KernelTable& kernels>
size_t panel_memory(size_t k) {
  const size_t panels = (feedback_memory(k) > descent_memory(k) ? feedback_memory(k) : descent_memory(k)) + kernels.sgemm_scratch;
  return panels > search_memory(k) ? panels : search_memory(k);
}

template <const tundish::KernelTable& kernels>
constexpr tundish::SolverTable make_table() {
  return {&kernels, round_to_grid, round_with_feedback<kernels>, descend<kernels>, row_losses<kernels>, search_lpbq, search_candidates, panel_memory<kernels>, kWidth};
}

}  // namespace
