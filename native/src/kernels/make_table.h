// Fills a table with the kernels as compiled for the including variant.
#pragma once

#include "elements.h"
#include "sgemm.h"
#include "triangles.h"
#include "weights.h"

namespace {

constexpr tundish::KernelTable make_table(const char* isa, const char* family) {
  return {isa,
          family,
          quantize_lpbq,
          dequantize_lpbq,
          quantize_per_channel,
          dequantize_per_channel,
          quantize_on_grid8,
          quantize_on_grid16,
          min_max,
          all_finite,
          widen_bf16,
          widen_f16,
          subtract,
          round_blocks,
          sgemm,
          kScratch,
          solve_triangle,
          kSolveLimit,
          factor_triangle,
          kFactorLimit,
          kTileRows,
          kTileColumns,
          fwht};
}

}  // namespace
