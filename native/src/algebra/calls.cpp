// From JavaScript arguments to algebra: checks lengths, allocates nothing for results.
#include "calls.h"

#include <algorithm>

#include "../arguments.h"
#include "../bound_call.h"
#include "../parallel.h"
#include "cholesky.h"
#include "gather.h"
#include "multiply.h"
#include "solve.h"
#include "triangle.h"

namespace tundish {
namespace {

template <Chain chain>
void multiply_into(const Napi::CallbackInfo& info, const KernelTable& table) {
  const Arguments arguments(info);
  const size_t m = arguments.size(3), n = arguments.size(4), k = arguments.size(5);
  const bool transpose_a = arguments.flag(6), transpose_b = arguments.flag(7);
  multiply(table, {.a = arguments.data<float>(1, m * k), .b = arguments.data<float>(2, k * n), .out = arguments.data<float>(0, m * n),
                   .m = m, .n = n, .k = k, .lda = transpose_a ? m : k, .ldb = transpose_b ? k : n, .ldo = n,
                   .transpose_a = transpose_a, .transpose_b = transpose_b, .accumulate = arguments.flag(8), .chain = chain}, arguments.threads(9));
}

template <Chain chain>
void accumulate_gram(const Napi::CallbackInfo& info, const KernelTable& table) {
  const Arguments arguments(info);
  const size_t rows = arguments.size(2), k = arguments.size(3);
  const float* x = arguments.data<float>(1, rows * k);
  multiply(table, {.a = x, .b = x, .out = arguments.data<float>(0, k * k), .m = k, .n = k, .k = rows, .lda = k, .ldb = k, .ldo = k,
                   .transpose_a = true, .accumulate = true, .chain = chain, .part = Part::kUpper}, arguments.threads(4));
}

void accumulate_blocks(const Napi::CallbackInfo& info, const KernelTable& table) {
  const Arguments arguments(info);
  const size_t rows = arguments.size(3), k = arguments.size(4), block = arguments.size(5);
  multiply_blocks(table, {.a = arguments.data<float>(1, rows * k), .b = arguments.data<float>(2, rows * k), .out = arguments.data<float>(0, k * block),
                          .m = block, .n = block, .k = rows, .lda = k, .ldb = k, .ldo = block, .transpose_a = true, .accumulate = true}, k / block, {block, block, block * block}, arguments.threads(6));
}

void multiply_by_blocks(const Napi::CallbackInfo& info, const KernelTable& table) {
  const Arguments arguments(info);
  const size_t n = arguments.size(3), k = arguments.size(4), block = arguments.size(5);
  multiply_blocks(table, {.a = arguments.data<float>(1, n * k), .b = arguments.data<float>(2, k * block), .out = arguments.data<float>(0, n * k),
                          .m = n, .n = block, .k = block, .lda = k, .ldb = block, .ldo = k}, k / block, {block, block * block, block}, arguments.threads(6));
}

void multiply_by_codes(const Napi::CallbackInfo& info, const KernelTable& table) {
  const Arguments arguments(info);
  const size_t block = arguments.size(4), m = arguments.size(5), n = arguments.size(6), k = arguments.size(7);
  require(info, block > 0 && block % kCodedSteps == 0 && k % block == 0, "blocks are multiples of 32, and divide the columns");
  const CodedWeight coded{arguments.data<int8_t>(2, n * k), arguments.data<float>(3, n * k / block), block};
  multiply(table, {.a = arguments.data<float>(1, m * k), .out = arguments.data<float>(0, m * n), .m = m, .n = n, .k = k, .lda = k, .ldo = n,
                   .chain = Chain::kInt8Sum, .coded = &coded}, arguments.threads(8));
}

void round_blocks(const Napi::CallbackInfo& info, const KernelTable& table) {
  const Arguments arguments(info);
  const size_t blocks = arguments.size(3);
  const float* x = arguments.data<float>(2, blocks * kCodedSteps);
  int8_t* codes = arguments.data<int8_t>(0, blocks * kCodedSteps);
  float* scale = arguments.data<float>(1, blocks);
  parallel(blocks, 64, arguments.threads(4), [&](size_t, size_t begin, size_t end) { table.round_blocks(x, codes, scale, begin, end); });
}

void mirror(const Napi::CallbackInfo& info, const KernelTable&) {
  const Arguments arguments(info);
  const size_t k = arguments.size(1);
  mirror_upper(arguments.data<float>(0, k * k), k);
}

void gather_elements(const Napi::CallbackInfo& info, const KernelTable&) {
  const Arguments arguments(info);
  const size_t count = arguments.size(4), k = arguments.size(5);
  const auto below = [&](const uint32_t* places, size_t length, size_t limit) { return std::all_of(places, places + length, [&](uint32_t place) { return place < limit; }); };
  const uint32_t* columns = arguments.data<uint32_t>(3, k);
  require(info, below(columns, k, k), "columns are below k");
  const size_t stored = k == 0 ? 0 : arguments.array<float>(1).ElementLength() / k;
  const bool in_order = info[2].IsNull();
  const uint32_t* rows = in_order ? nullptr : arguments.data<uint32_t>(2, count);
  require(info, in_order ? stored == count : below(rows, count, stored), "rows are those of x");
  gather({arguments.data<float>(1, stored * k), rows, columns, count, k, arguments.data<float>(0, count * k)}, arguments.threads(6));
}

Napi::Value cholesky(const Napi::CallbackInfo& info, const KernelTable& table) {
  const Arguments arguments(info);
  const size_t k = arguments.size(1);
  float* a = arguments.data<float>(0, k * k);
  const size_t pivot = factor_cholesky(Workspace(table, arguments.threads(2)), a, k, k);
  if (pivot == k) clear_upper(a, k);
  return Napi::Number::New(info.Env(), pivot == k ? -1.0 : static_cast<double>(pivot));
}

void solve(const Napi::CallbackInfo& info, const KernelTable& table) {
  const Arguments arguments(info);
  const size_t k = arguments.size(1), rows = arguments.size(3);
  const TriangularSystem system{arguments.data<float>(0, k * k), k, arguments.data<float>(2, rows * k), k, k, arguments.flag(4)};
  solve_lower(Workspace(table, arguments.threads(5)), system, rows);
}

template <Chain chain>
void bind_products(Napi::Object& products, const KernelTable& table) {
  bind<KernelTable, multiply_into<chain>>(products, "multiplyInto", table);
  bind<KernelTable, accumulate_gram<chain>>(products, "accumulateGram", table);
}

}  // namespace

Napi::Object bind_algebra(Napi::Env env, const KernelTable& table) {
  Napi::Object algebra = Napi::Object::New(env), int16 = Napi::Object::New(env);
  bind_products<Chain::kSum>(algebra, table);
  bind_products<Chain::kInt16Sum>(int16, table);
  algebra.Set("int16", int16);
  bind<KernelTable, accumulate_blocks>(algebra, "accumulateBlocks", table);
  bind<KernelTable, multiply_by_blocks>(algebra, "multiplyByBlocks", table);
  bind<KernelTable, multiply_by_codes>(algebra, "multiplyByCodes", table);
  bind<KernelTable, round_blocks>(algebra, "roundBlocks", table);
  bind<KernelTable, mirror>(algebra, "mirror", table);
  bind<KernelTable, gather_elements>(algebra, "gather", table);
  bind<KernelTable, cholesky>(algebra, "cholesky", table);
  bind<KernelTable, solve>(algebra, "solveLower", table);
  return algebra;
}

}  // namespace tundish
