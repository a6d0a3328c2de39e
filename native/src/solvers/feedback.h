// Rounding with error feedback: GPTQ, in the form without an inverse (the LDL' form of QuIP, Chee et al. 2023, theorem 6)
// or in GPTQ's own recursion, and with the residual term of GPTAQ (Li et al. 2025).
#pragma once

#include "panel.h"

namespace {

inline size_t feedback_memory(size_t k) { return (3 * k + 2 * kSteps) * kPanelRows; }

struct FeedbackPanel {
  float* target;   // [k]: what a column is rounded to, in steps
  float* weight;   // [k]: the weight itself, in steps
  float* scale;    // [k / block], by column
  float* error;    // [kSteps]
  float* before;   // [kSteps]: targets as they were rounded
  float* scratch;  // of sgemm
};

// Column order[s] of `rows` rows -> panel row s; the lanes behind the last row are zero.
inline void gather_ordered(const float* w, size_t k, const uint32_t* order, size_t rows, float* panel) {
  const size_t lanes = lanes_of(rows);
  for (size_t s = 0; s < k; s++) {
    for (size_t lane = 0; lane < lanes; lane++) panel[s * kPanelRows + lane] = lane < rows ? w[lane * k + order[s]] : 0.0f;
  }
}

// Steps [from, to) for the lanes at `lane`; errors and targets go to the panel.
void feed_steps(const tundish::FeedbackProblem& problem, const FeedbackPanel& panel, size_t from, size_t to, size_t lane, size_t row, size_t rows) {
  Vector target[kSteps];
  const size_t count = to - from, k = problem.k;
  for (size_t s = 0; s < count; s++) target[s] = load(panel.target + (from + s) * kPanelRows + lane);
  for (size_t s = 0; s < count; s++) {
    const size_t column = problem.order[from + s];
    const Vector scale = load(panel.scale + column / problem.grid.block * kPanelRows + lane);
    const Vector code = clamp_round(target[s] / scale, problem.grid.low, problem.grid.high);
    const Vector origin = problem.from_target ? target[s] : load(panel.weight + (from + s) * kPanelRows + lane);
    const Vector error = origin - code * scale;
    store(panel.error + s * kPanelRows + lane, error);
    store(panel.before + s * kPanelRows + lane, target[s]);
    for (size_t i = 0; i < kWidth && lane + i < rows; i++) problem.codes[(row + lane + i) * k + column] = static_cast<int8_t>(code[i]);
    const float* feedback = problem.feedback + (from + s) * k + from;
    for (size_t t = s + 1; t < count; t++) target[t] = fused(broadcast(feedback[t]), error, target[t]);
    if (problem.residual == nullptr) continue;
    const float* residual = problem.residual + (from + s) * k + from;
    for (size_t t = s + 1; t < count; t++) target[t] = fused(broadcast(residual[t]), target[s], target[t]);
  }
}

void feed_panel(const tundish::KernelTable& kernels, const tundish::FeedbackProblem& problem, const FeedbackPanel& panel, size_t row, size_t rows) {
  const size_t k = problem.k, lanes = lanes_of(rows);
  gather_ordered(problem.w + row * k, k, problem.order, rows, panel.target);
  gather_scales(problem.grid, k, row, rows, panel.scale);
  __builtin_memcpy(panel.weight, panel.target, k * kPanelRows * sizeof(float));
  for (size_t from = 0; from < k; from += kSteps) {
    const size_t to = from + kSteps < k ? from + kSteps : k;
    for (size_t lane = 0; lane < lanes; lane += kWidth) feed_steps(problem, panel, from, to, lane, row, rows);
    float* rest = panel.target + to * kPanelRows;
    multiply_panel(kernels, problem.feedback + from * k + to, k, panel.error, k - to, to - from, lanes, rest, true, panel.scratch);
    if (problem.residual != nullptr) multiply_panel(kernels, problem.residual + from * k + to, k, panel.before, k - to, to - from, lanes, rest, true, panel.scratch);
  }
}

template <const tundish::KernelTable& kernels>
void round_with_feedback(const tundish::FeedbackProblem& problem, size_t row_begin, size_t row_end, float* memory) {
  const size_t k = problem.k;
  float* const weight = memory + k * kPanelRows;
  float* const error = weight + 2 * k * kPanelRows;
  const FeedbackPanel panel{memory, weight, weight + k * kPanelRows, error, error + kSteps * kPanelRows, error + 2 * kSteps * kPanelRows};
  for (size_t row = row_begin; row < row_end; row += kPanelRows) feed_panel(kernels, problem, panel, row, row_end - row < kPanelRows ? row_end - row : kPanelRows);
}

}  // namespace
