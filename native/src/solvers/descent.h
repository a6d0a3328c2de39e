// Coordinate descent over codes (the family of QuantEase, Behdin et al. 2023): each code in turn takes the value that is
// best with all others held; tr((Q - T) H (Q - T)') never rises.
#pragma once

#include "panel.h"

namespace {

inline size_t descent_memory(size_t k) { return (3 * k + kSteps) * kPanelRows; }

struct DescentPanel {
  float* value;     // [k]: code times scale
  float* gradient;  // [k]: H (Q - T)'
  float* scale;     // [k / block]
  float* change;    // [kSteps]
  float* scratch;
};

inline void start_panel(const tundish::KernelTable& kernels, const tundish::DescentProblem& problem, const DescentPanel& panel, size_t row, size_t rows) {
  const size_t k = problem.k, lanes = lanes_of(rows);
  gather_scales(problem.grid, k, row, rows, panel.scale);
  // `value` holds the difference to the target until the first product is done.
  gather_columns(problem.target, k, nullptr, row, rows, panel.value);
  for (size_t c = 0; c < k; c++) {
    const float* scale = panel.scale + c / problem.grid.block * kPanelRows;
    float* value = panel.value + c * kPanelRows;
    for (size_t lane = 0; lane < lanes; lane++) {
      const float code = lane < rows ? static_cast<float>(problem.codes[(row + lane) * k + c]) : 0.0f;
      value[lane] = code * scale[lane] - value[lane];
    }
  }
  multiply_panel(kernels, problem.gram, k, panel.value, k, k, lanes, panel.gradient, false, panel.scratch);
  for (size_t c = 0; c < k; c++) {
    const float* scale = panel.scale + c / problem.grid.block * kPanelRows;
    float* value = panel.value + c * kPanelRows;
    for (size_t lane = 0; lane < rows; lane++) value[lane] = static_cast<float>(problem.codes[(row + lane) * k + c]) * scale[lane];
  }
}

// Columns [from, to) for the lanes at `lane`.
void descend_steps(const tundish::DescentProblem& problem, const DescentPanel& panel, size_t from, size_t to, size_t lane) {
  Vector gradient[kSteps];
  const size_t count = to - from, k = problem.k;
  for (size_t s = 0; s < count; s++) gradient[s] = load(panel.gradient + (from + s) * kPanelRows + lane);
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
  for (size_t s = 0; s < count; s++) store(panel.gradient + (from + s) * kPanelRows + lane, gradient[s]);
}

inline void finish_panel(const tundish::DescentProblem& problem, const DescentPanel& panel, size_t row, size_t rows) {
  const size_t k = problem.k;
  for (size_t c = 0; c < k; c++) {
    const float* scale = panel.scale + c / problem.grid.block * kPanelRows;
    for (size_t lane = 0; lane < rows; lane++) {
      problem.codes[(row + lane) * k + c] = static_cast<int8_t>(clamp_round(panel.value[c * kPanelRows + lane] / scale[lane], problem.grid.low, problem.grid.high));
    }
  }
}

template <const tundish::KernelTable& kernels>
void descend(const tundish::DescentProblem& problem, size_t row_begin, size_t row_end, float* memory) {
  const size_t k = problem.k;
  float* const change = memory + 3 * k * kPanelRows;
  const DescentPanel panel{memory, memory + k * kPanelRows, memory + 2 * k * kPanelRows, change, change + kSteps * kPanelRows};
  for (size_t row = row_begin; row < row_end; row += kPanelRows) {
    const size_t rows = row_end - row < kPanelRows ? row_end - row : kPanelRows, lanes = lanes_of(rows);
    start_panel(kernels, problem, panel, row, rows);
    for (size_t sweep = 0; sweep < problem.sweeps; sweep++) {
      for (size_t from = 0; from < k; from += kSteps) {
        const size_t to = from + kSteps < k ? from + kSteps : k;
        for (size_t lane = 0; lane < lanes; lane += kWidth) descend_steps(problem, panel, from, to, lane);
        const float* gram = problem.gram + from * k;
        // In the last sweep nobody asks again for the gradient of a column that has been passed.
        const size_t passed = sweep + 1 < problem.sweeps ? from : 0;
        multiply_panel(kernels, gram, k, panel.change, passed, to - from, lanes, panel.gradient, true, panel.scratch);
        multiply_panel(kernels, gram + to, k, panel.change, k - to, to - from, lanes, panel.gradient + to * kPanelRows, true, panel.scratch);
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
    gather_columns(e, k, nullptr, row, rows, error);
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
