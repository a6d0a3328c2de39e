// From arrays of JavaScript to one product, panel by panel.
#include "calls.h"

#include <algorithm>
#include <vector>

#include "../arguments.h"
#include "../bind.h"
#include "product.h"
#include "scratch.h"

namespace tundish {
namespace {

Operand operand_of(const Napi::CallbackInfo& info, const Arguments& arguments) {
  const std::string form = info[1].ToString().Utf8Value();
  const size_t block = arguments.size(6), outputs = arguments.size(7), columns = arguments.size(8);
  require(info, columns > 0 && columns <= kMaxColumns, "there are 1 to 65536 columns");
  if (form == "columns") return {Form::kColumns, arguments.data<uint8_t>(4, columns * outputs), nullptr, 0, outputs, columns};
  if (form == "rows") return {Form::kRows, arguments.data<uint8_t>(4, columns * outputs), nullptr, 0, outputs, columns};
  require(info, form == "blockwise", "the form is blockwise, rows or columns");
  require(info, is_readable_block(block, columns), "blocks have 16, 32 or a multiple of 64 columns, and divide the columns");
  return {Form::kBlockwise, arguments.data<uint8_t>(4, outputs * columns / 2), arguments.data<uint8_t>(5, outputs * columns / block), block, outputs, columns};
}

}  // namespace

Napi::Value multiply_codes(const Napi::CallbackInfo& info) {
  const Arguments arguments(info);
  const ProductTable* table = find_products(info[0].ToString().Utf8Value().c_str());
  require(info, table != nullptr, "this machine cannot run the variant");
  const Operand w = operand_of(info, arguments);
  const size_t rows = arguments.size(3), stride = padded_to_groups(w.columns);
  const uint16_t* x = arguments.data<uint16_t>(2, rows * w.columns);
  Scratch<uint8_t> planes;
  Scratch<int8_t> panel_memory;
  uint8_t* high = planes.take(2 * rows * stride);
  uint8_t* low = high + rows * stride;
  int8_t* panel = panel_memory.take(kPanelRows * stride);
  for (size_t m = 0; m < rows; m++) table->split(x + m * w.columns, w.columns, w.form == Form::kBlockwise, high + m * stride, low + m * stride);
  std::vector<double> sums(rows * kPanelRows);
  Napi::Float64Array result = Napi::Float64Array::New(info.Env(), (rows + 1) * w.rows);
  for (size_t from = 0; from < w.rows; from += kPanelRows) {
    const size_t count = std::min(kPanelRows, w.rows - from);
    table->multiply({high, low, rows, w.columns, stride}, w, from, count, sums.data(), result.Data() + rows * w.rows + from, panel);
    for (size_t m = 0; m < rows; m++) std::copy_n(sums.data() + m * kPanelRows, count, result.Data() + m * w.rows + from);
  }
  return result;
}

Napi::Array product_variants(Napi::Env env) {
  Napi::Array names = Napi::Array::New(env);
  uint32_t index = 0;
  for (const char* name : {"avx512vnni", "avx2", "portable"}) {
    if (find_products(name) != nullptr) names.Set(index++, name);
  }
  return names;
}

}  // namespace tundish
