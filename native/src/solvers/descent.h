// Coordinate descent over codes (the family of QuantEase, Behdin et al. 2023): each code in turn takes the value that is
// best with all others held; tr((Q - T) H (Q - T)') never rises.
#pragma once

#include "panel.h"

namespace {

// Columns of a row of the gradient that hear of changed codes at once, in registers; their part of the Gram matrix, a row
// for each step, stays in the nearest caches meanwhile.
constexpr size_t kStripe = 64;
constexpr size_t kStripeVectors = kStripe / kWidth;

// Elements from one row of the gradient to the next: rows at a power of two would push each other out of the caches.
inline size_t gradient_stride(size_t k) { return k + 16; }

inline size_t descent_memory(size_t k) { return (2 * k + gradient_stride(k) + 4 * kSteps + 1) * kPanelRows; }

struct DescentPanel {
  float* value;     // [k]: code times scale
  float* scale;     // [k / block]
  float* own;       // [kSteps]: the gradient of the columns at hand
  float* change;    // [kSteps]
  float* gradient;  // (Q - T) H, row after row
  size_t stride;    // of the gradient
  // Of each row, kSteps apart: the steps that changed its code, rising, and by how much. Few do.
  uint32_t* step;
  float* by;
  uint32_t* count;
  float* scratch;
};

inline DescentPanel descent_panel(float* memory, size_t k) {
  DescentPanel panel;
  panel.value = memory;
  panel.scale = panel.value + k * kPanelRows;
  panel.own = panel.scale + k * kPanelRows;
  panel.change = panel.own + kSteps * kPanelRows;
  panel.stride = gradient_stride(k);
  panel.gradient = panel.change + kSteps * kPanelRows;
  panel.by = panel.gradient + panel.stride * kPanelRows;
  panel.step = reinterpret_cast<uint32_t*>(panel.by + kSteps * kPanelRows);
  panel.count = panel.step + kSteps * kPanelRows;
  panel.scratch = memory + descent_memory(k);
  return panel;
}

inline void start_panel(const tundish::KernelTable& kernels, const tundish::DescentProblem& problem, const DescentPanel& panel, size_t row, size_t rows) {
  const size_t k = problem.k, block = problem.grid.block;
  gather_scales(problem.grid, k, row, rows, panel.scale);
  // `value` holds the difference to the target until the product is done.
  gather_columns(problem.target + row * k, k, k, rows, panel.value);
  const auto value_of = [&](size_t c, size_t lane) { return static_cast<float>(problem.codes[(row + lane) * k + c]) * panel.scale[c / block * kPanelRows + lane]; };
  each_in_squares(k, rows, [&](size_t c, size_t lane) { panel.value[c * kPanelRows + lane] = value_of(c, lane) - panel.value[c * kPanelRows + lane]; });
  const tundish::MatrixProduct product{.a = panel.value, .b = problem.gram, .out = panel.gradient, .m = rows, .n = k, .k = k, .lda = kPanelRows, .ldb = k, .ldo = panel.stride, .transpose_a = true};
  kernels.sgemm(product, tundish::Tile{0, rows, 0, k}, panel.scratch);
  each_in_squares(k, rows, [&](size_t c, size_t lane) { panel.value[c * kPanelRows + lane] = value_of(c, lane); });
}

// Columns [from, to) for the lanes at `lane`.
void descend_steps(const tundish::DescentProblem& problem, const DescentPanel& panel, size_t from, size_t to, size_t lane) {
  Vector gradient[kSteps];
  const size_t count = to - from, k = problem.k;
  for (size_t s = 0; s < count; s++) gradient[s] = load(panel.own + s * kPanelRows + lane);
  for (size_t s = 0; s < count; s++) {
    const float* gram = problem.gram + (from + s) * k + from;
    float* const value = panel.value + (from + s) * kPanelRows + lane;
    const Vector old = load(value);
    // An input that is always zero has no say: its codes stay.
    const bool is_dead = !(gram[s] > 0.0f);
    const Vector scale = load(panel.scale + (from + s) / problem.grid.block * kPanelRows + lane);
    const Vector best = is_dead ? old : clamp_round((old - gradient[s] / broadcast(gram[s])) / scale, problem.grid.low, problem.grid.high) * scale;
    const Vector change = best - old;
    store(value, best);
    store(panel.change + s * kPanelRows + lane, change);
    for (size_t t = 0; t < count; t++) gradient[t] = fused(broadcast(gram[t]), change, gradient[t]);
  }
  for (size_t s = 0; s < count; s++) store(panel.own + s * kPanelRows + lane, gradient[s]);
}

// Lists what changed in `count` steps, row by row.
inline void list_changes(const DescentPanel& panel, size_t count, size_t rows) {
  for (size_t row = 0; row < rows; row++) panel.count[row] = 0;
  for (size_t s = 0; s < count; s++) {
    const float* change = panel.change + s * kPanelRows;
    for (size_t row = 0; row < rows; row++) {
      if (change[row] == 0.0f) continue;
      const size_t at = row * kSteps + panel.count[row]++;
      panel.step[at] = static_cast<uint32_t>(s);
      panel.by[at] = change[row];
    }
  }
}

// A stripe of one row: gradient[c] += the sum of by[i] * gram[step[i]][c], a chain over ascending steps.
inline void hear_stripe(const float* gram, size_t k, const uint32_t* step, const float* by, size_t count, float* gradient) {
  Vector sum[kStripeVectors];
  for (size_t j = 0; j < kStripeVectors; j++) sum[j] = load(gradient + j * kWidth);
  for (size_t i = 0; i < count; i++) {
    const float* const row = gram + step[i] * k;
    const Vector change = broadcast(by[i]);
    for (size_t j = 0; j < kStripeVectors; j++) sum[j] = fused(load(row + j * kWidth), change, sum[j]);
  }
  for (size_t j = 0; j < kStripeVectors; j++) store(gradient + j * kWidth, sum[j]);
}

inline void hear_edge(const float* gram, size_t k, const uint32_t* step, const float* by, size_t count, size_t width, float* gradient) {
  for (size_t i = 0; i < count; i++) {
    const float* const row = gram + step[i] * k;
    for (size_t c = 0; c < width; c++) gradient[c] = __builtin_fmaf(row[c], by[i], gradient[c]);
  }
}

// Columns [begin, end) of the gradient hear of what changed in the steps from `from`.
void hear_changes(const tundish::DescentProblem& problem, const DescentPanel& panel, size_t from, size_t begin, size_t end, size_t rows) {
  for (size_t column = begin; column < end; column += kStripe) {
    const float* const gram = problem.gram + from * problem.k + column;
    for (size_t row = 0; row < rows; row++) {
      const uint32_t* const step = panel.step + row * kSteps;
      const float* const by = panel.by + row * kSteps;
      float* const gradient = panel.gradient + row * panel.stride + column;
      if (end - column >= kStripe) hear_stripe(gram, problem.k, step, by, panel.count[row], gradient);
      else hear_edge(gram, problem.k, step, by, panel.count[row], end - column, gradient);
    }
  }
}

inline void finish_panel(const tundish::DescentProblem& problem, const DescentPanel& panel, size_t row, size_t rows) {
  each_in_squares(problem.k, rows, [&](size_t c, size_t lane) {
    const float scale = panel.scale[c / problem.grid.block * kPanelRows + lane];
    problem.codes[(row + lane) * problem.k + c] = static_cast<int8_t>(clamp_round(panel.value[c * kPanelRows + lane] / scale, problem.grid.low, problem.grid.high));
  });
}

template <const tundish::KernelTable& kernels>
void descend(const tundish::DescentProblem& problem, size_t row_begin, size_t row_end, float* memory) {
  const size_t k = problem.k;
  const DescentPanel panel = descent_panel(memory, k);
  for (size_t row = row_begin; row < row_end; row += kPanelRows) {
    const size_t rows = row_end - row < kPanelRows ? row_end - row : kPanelRows, lanes = lanes_of(rows);
    start_panel(kernels, problem, panel, row, rows);
    for (size_t sweep = 0; sweep < problem.sweeps; sweep++) {
      const bool is_last = sweep + 1 == problem.sweeps;
      for (size_t from = 0; from < k; from += kSteps) {
        const size_t to = from + kSteps < k ? from + kSteps : k;
        gather_columns(panel.gradient + from, panel.stride, to - from, rows, panel.own);
        for (size_t lane = 0; lane < lanes; lane += kWidth) descend_steps(problem, panel, from, to, lane);
        list_changes(panel, to - from, rows);
        hear_changes(problem, panel, from, to, k, rows);
        // In the last sweep nobody asks again for the gradient of a column that has been passed.
        if (is_last) continue;
        scatter_columns(panel.own, to - from, rows, panel.gradient + from, panel.stride);
        hear_changes(problem, panel, from, 0, from, rows);
      }
    }
    finish_panel(problem, panel, row, rows);
  }
}

// Sums in float64 over ascending columns.
template <const tundish::KernelTable& kernels>
void row_losses(const float* e, const float* gram, size_t k, double* loss, size_t row_begin, size_t row_end, float* memory) {
  float *const error = memory, *const product = memory + k * kPanelRows, *const scratch = product + k * kPanelRows;
  for (size_t row = row_begin; row < row_end; row += kPanelRows) {
    const size_t rows = row_end - row < kPanelRows ? row_end - row : kPanelRows;
    gather_columns(e + row * k, k, k, rows, error);
    multiply_panel(kernels, gram, k, error, k, k, lanes_of(rows), product, false, scratch);
    for (size_t lane = 0; lane < rows; lane++) loss[row + lane] = 0.0;
    for (size_t c = 0; c < k; c++) {
      for (size_t lane = 0; lane < rows; lane++) {
        loss[row + lane] += static_cast<double>(error[c * kPanelRows + lane]) * static_cast<double>(product[c * kPanelRows + lane]);
      }
    }
  }
}

}  // namespace
