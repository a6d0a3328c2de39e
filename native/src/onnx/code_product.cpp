// Splits activations into planes and computes the product panel by panel, on the threads of the session.
#include "code_product.h"

#include <algorithm>
#include <cmath>

#include "../products/scratch.h"
#include "attributes.h"

namespace tundish::onnx {
namespace {

constexpr size_t kRowsAtOnce = 16;

// Columns [from, from + count) of 16-bit codes. A code is 256 h + l, so less 32768 it is 256 (h - 128) + (l - 128) + 128:
// two products of bytes, each as for an 8-bit cache. All sums stay below 2^53.
void multiply_wide(const ProductTable& products, const Planes& a, const uint16_t* codes, size_t outputs, size_t from, size_t count, const double* a_sums, double* sums, double* weight_sums, int8_t* panel) {
  thread_local Scratch<uint8_t> byte_memory;
  thread_local Scratch<double> low_memory;
  uint8_t* high = byte_memory.take(2 * a.columns * count);
  uint8_t* low = high + a.columns * count;
  for (size_t k = 0; k < a.columns; k++) {
    for (size_t i = 0; i < count; i++) {
      const uint16_t code = codes[k * outputs + from + i];
      high[k * count + i] = static_cast<uint8_t>(code >> 8);
      low[k * count + i] = static_cast<uint8_t>(code);
    }
  }
  double* low_sums = low_memory.take((a.rows + 1) * kPanelRows);
  double* low_weight_sums = low_sums + a.rows * kPanelRows;
  products.multiply(a, {Form::kColumns, high, nullptr, 0, count, a.columns}, 0, count, sums, weight_sums, panel);
  products.multiply(a, {Form::kColumns, low, nullptr, 0, count, a.columns}, 0, count, low_sums, low_weight_sums, panel);
  for (size_t i = 0; i < count; i++) {
    weight_sums[i] = 256 * weight_sums[i] + low_weight_sums[i] + 128 * static_cast<double>(a.columns);
    for (size_t m = 0; m < a.rows; m++) {
      double& sum = sums[m * kPanelRows + i];
      sum = 256 * sum + low_sums[m * kPanelRows + i] + 128 * a_sums[m];
    }
  }
}

// A processor multiplies by a number of so many bits.
constexpr int kMultiplierBits = 22;

void set_multipliers(const Finish& to, const float* channel_scale, size_t count, Truncation& truncation) {
  for (size_t i = 0; i < count; i++) {
    const double factor = channel_scale == nullptr ? to.factor : to.factor * static_cast<double>(channel_scale[i]);
    int exponent = 0;
    const double mantissa = std::frexp(factor * truncation.unit / static_cast<double>(to.scale), &exponent);
    const double kept = __builtin_rint(std::ldexp(mantissa, kMultiplierBits));
    truncation.multiplier[i] = std::ldexp(kept, exponent - kMultiplierBits);
    truncation.rounding[i] = 0.5 + mantissa / 256;
  }
}

}  // namespace

CodeProduct::CodeProduct(const Api& api, const KernelInfo* info) : api_(api), products_(best_products()) {
  const Attributes attributes(api, info);
  x_scale_ = attributes.real("x_scale");
  x_zero_ = static_cast<double>(attributes.integer("x_zero"));
  y_scale_ = static_cast<float>(attributes.real("y_scale"));
  y_zero_ = static_cast<float>(attributes.integer("y_zero"));
}

void CodeProduct::run(const KernelContext* context, const Work& work) const {
  const size_t columns = work.w.columns, outputs = work.w.rows;
  if (columns > kMaxColumns) refuse("products of more than 65536 columns are not exact in 32 bits");
  const size_t stride = padded_to_groups(columns);
  const size_t all_rows = work.batches * work.rows;
  thread_local Scratch<uint8_t> plane_memory;
  thread_local Scratch<double> sum_memory;
  uint8_t* high = plane_memory.take(2 * all_rows * stride);
  uint8_t* low = high + all_rows * stride;
  double* a_sums = sum_memory.take(all_rows);
  const bool paired = work.w.form == Form::kBlockwise;
  auto split = [&](size_t chunk) {
    for (size_t row = chunk * kRowsAtOnce; row < std::min(all_rows, (chunk + 1) * kRowsAtOnce); row++) {
      a_sums[row] = static_cast<double>(products_.split(work.x + row * columns, columns, paired, high + row * stride, low + row * stride));
    }
  };
  const size_t chunks = (all_rows + kRowsAtOnce - 1) / kRowsAtOnce;
  if (chunks == 1) split(0);
  else parallel_for(api_, context, chunks, split);
  const size_t panels = (outputs + kPanelRows - 1) / kPanelRows;
  const Finish to{x_zero_, work.w_zero, static_cast<double>(columns), work.factor * x_scale_, y_scale_, y_zero_};
  auto panel = [&](size_t index) {
    const size_t batch = index / panels, from = index % panels * kPanelRows, count = std::min(kPanelRows, outputs - from);
    const size_t first_row = batch * work.rows;
    thread_local Scratch<int8_t> panel_memory;
    thread_local Scratch<double> sums_memory;
    double* sums = sums_memory.take((work.rows + 1) * kPanelRows);
    double* weight_sums = sums + work.rows * kPanelRows;
    const Planes a{high + first_row * stride, low + first_row * stride, work.rows, columns, stride};
    int8_t* panel_of = panel_memory.take(kPanelRows * stride);
    if (work.wide != nullptr) {
      multiply_wide(products_, a, work.wide + batch * columns * outputs, outputs, from, count, a_sums + first_row, sums, weight_sums, panel_of);
    } else {
      Operand w = work.w;
      w.codes += batch * work.matrix_bytes;
      products_.multiply(a, w, from, count, sums, weight_sums, panel_of);
    }
    const float* scale = work.channel_scale == nullptr ? nullptr : work.channel_scale + from;
    Truncation truncation{static_cast<double>(size_t{1} << work.dropped_bits), {}, {}};
    if (work.dropped_bits > 0) set_multipliers(to, scale, count, truncation);
    for (size_t m = 0; m < work.rows; m++) {
      const double a_sum = a_sums[first_row + m];
      uint16_t* codes = work.y + (first_row + m) * outputs + from;
      if (work.dropped_bits > 0) products_.finish_truncated(sums + m * kPanelRows, weight_sums, to, a_sum, truncation, count, codes);
      else products_.finish(sums + m * kPanelRows, weight_sums, to, a_sum, scale, count, codes);
    }
  };
  parallel_for(api_, context, work.batches * panels, panel);
}

}  // namespace tundish::onnx
