// Panels of the elements themselves, one word a step: what sgemm.h needs to know of them.
#pragma once

#include "panels.h"
#include "register_tile.h"

namespace {

struct ExactPanels {
  static constexpr size_t kSliceSteps = 512;

  // Of every element.
  float sign;
  // The last step comes first.
  bool reversed;

  static size_t length(size_t steps) { return steps; }

  template <size_t width>
  void pack_rows(const float* from, size_t stride, size_t rows, size_t depth, float* panel) const {
    ::pack_rows<width>(from, stride, rows, depth, sign, reversed, panel);
  }

  template <size_t width>
  void pack_columns(const float* from, size_t stride, size_t columns, size_t depth, float* panels) const {
    const ptrdiff_t step = static_cast<ptrdiff_t>(stride);
    ::pack_columns<width>(reversed ? from + (depth - 1) * stride : from, reversed ? -step : step, columns, depth, sign, panels);
  }

  static void resume(Chains&) {}

  static void advance(Chains& chain, const float* a, const float* b, size_t words) { ::advance(chain, a, b, words); }
};

}  // namespace
