// From JavaScript arguments to solvers: checks lengths, splits rows between threads, gives each its memory.
#include "calls.h"

#include <algorithm>
#include <functional>
#include <vector>

#include "../arguments.h"
#include "../bound_call.h"
#include "../parallel.h"
#include "../products/scratch.h"
#include "../variants.h"

namespace tundish {
namespace {

// work(row_begin, row_end, memory) on at most `threads` threads.
void over_rows(const SolverTable& table, size_t rows, size_t k, size_t threads, const std::function<void(size_t, size_t, float*)>& work) {
  const size_t size = table.panel_memory(k);
  std::vector<Scratch<float>> memory(threads);
  // Taken here, where a failure can be told to the caller; a thread that takes it again gets the same memory.
  for (Scratch<float>& part : memory) part.take(size);
  parallel(rows, table.row_grain, threads, [&](size_t index, size_t begin, size_t end) { work(begin, end, memory[index].take(size)); });
}

// The three arguments of a grid at `index`: scale, block, bits.
Grid grid_of(const Napi::CallbackInfo& info, const Arguments& arguments, size_t index, size_t n, size_t k) {
  const size_t block = arguments.size(index + 1), bits = arguments.size(index + 2);
  require(info, block > 0 && k % block == 0, "the block size must divide k");
  require(info, bits >= 2 && bits <= 8, "bits must be 2 to 8");
  const float bound = static_cast<float>(1 << (bits - 1));
  return {arguments.data<float>(index, n * (k / block)), block, -bound, bound - 1.0f};
}

// null or undefined, or an array of `expected` elements.
const float* optional_floats(const Napi::CallbackInfo& info, const Arguments& arguments, size_t index, size_t expected) {
  return info[index].IsNull() || info[index].IsUndefined() ? nullptr : arguments.data<float>(index, expected);
}

BlockGram block_gram_of(const Napi::CallbackInfo& info, const Arguments& arguments, size_t index, size_t k, size_t block) {
  if (info[index].IsNull() || info[index].IsUndefined()) return {GramForm::kIdentity, nullptr};
  const size_t length = arguments.array<float>(index).ElementLength();
  if (length == k) return {GramForm::kDiagonal, arguments.data<float>(index, k)};
  return {GramForm::kBlocks, arguments.data<float>(index, k * block)};
}

void require_search_block(const Napi::CallbackInfo& info, size_t k, size_t block) {
  require(info, block > 0 && block <= 256 && k % block == 0, "a searched block has at most 256 columns and divides k");
}

void round_to_grid(const Napi::CallbackInfo& info, const SolverTable& table) {
  const Arguments arguments(info);
  const size_t n = arguments.size(1), k = arguments.size(2);
  const float* w = arguments.data<float>(0, n * k);
  const Grid grid = grid_of(info, arguments, 3, n, k);
  int8_t* codes = arguments.data<int8_t>(6, n * k);
  parallel(n, table.row_grain, arguments.threads(7), [&](size_t, size_t begin, size_t end) { table.round_to_grid(w, k, grid, codes, begin, end); });
}

// Codes times the scales of their blocks. Memory is what limits it, in every variant.
void values_on_grid(const Napi::CallbackInfo& info, const SolverTable&) {
  const Arguments arguments(info);
  const size_t count = arguments.array<int8_t>(0).ElementLength(), block = arguments.size(2);
  require(info, block > 0 && count % block == 0, "the block size must divide the codes");
  const int8_t* codes = arguments.data<int8_t>(0, count);
  const float* scale = arguments.data<float>(1, count / block);
  float* out = arguments.data<float>(3, count);
  parallel(count / block, row_grain(block), arguments.threads(4), [&](size_t, size_t begin, size_t end) {
    for (size_t range = begin; range < end; range++) {
      for (size_t i = range * block; i < (range + 1) * block; i++) out[i] = static_cast<float>(codes[i]) * scale[range];
    }
  });
}

void round_with_feedback(const Napi::CallbackInfo& info, const SolverTable& table) {
  const Arguments arguments(info);
  const size_t n = arguments.size(1), k = arguments.size(2);
  const Grid grid = grid_of(info, arguments, 3, n, k);
  const uint32_t* order = arguments.data<uint32_t>(6, k);
  require(info, std::all_of(order, order + k, [&](uint32_t column) { return column < k; }), "the order names columns below k");
  const FeedbackProblem problem{arguments.data<float>(0, n * k), arguments.data<float>(7, k * k), optional_floats(info, arguments, 8, k * k), order,
                                arguments.flag(9), k, grid, arguments.data<int8_t>(10, n * k)};
  over_rows(table, n, k, arguments.threads(11), [&](size_t begin, size_t end, float* memory) { table.round_with_feedback(problem, begin, end, memory); });
}

void descend(const Napi::CallbackInfo& info, const SolverTable& table) {
  const Arguments arguments(info);
  const size_t n = arguments.size(1), k = arguments.size(2);
  const Grid grid = grid_of(info, arguments, 3, n, k);
  const DescentProblem problem{arguments.data<float>(0, n * k), arguments.data<float>(6, k * k), k, grid, arguments.data<int8_t>(7, n * k), arguments.size(8)};
  over_rows(table, n, k, arguments.threads(9), [&](size_t begin, size_t end, float* memory) { table.descend(problem, begin, end, memory); });
}

void row_losses(const Napi::CallbackInfo& info, const SolverTable& table) {
  const Arguments arguments(info);
  const size_t n = arguments.size(1), k = arguments.size(2);
  const float* e = arguments.data<float>(0, n * k);
  const float* gram = arguments.data<float>(3, k * k);
  double* loss = arguments.data<double>(4, n);
  over_rows(table, n, k, arguments.threads(5), [&](size_t begin, size_t end, float* memory) { table.row_losses(e, gram, k, loss, begin, end, memory); });
}

void search_lpbq(const Napi::CallbackInfo& info, const SolverTable& table) {
  const Arguments arguments(info);
  const size_t n = arguments.size(1), k = arguments.size(2), block = arguments.size(3);
  require_search_block(info, k, block);
  const size_t factors = arguments.array<float>(5).ElementLength();
  const LpbqSearch search{arguments.data<float>(0, n * k), k, block, block_gram_of(info, arguments, 4, k, block), arguments.data<float>(5, factors), factors,
                          arguments.data<uint8_t>(6, n * (k / block)), arguments.data<float>(7, n)};
  over_rows(table, n, k, arguments.threads(8), [&](size_t begin, size_t end, float* memory) { table.search_lpbq(search, begin, end, memory); });
}

void search_candidates(const Napi::CallbackInfo& info, const SolverTable& table) {
  const Arguments arguments(info);
  const size_t n = arguments.size(1), k = arguments.size(2), block = arguments.size(3), bits = arguments.size(4), candidates = arguments.size(8);
  require_search_block(info, k, block);
  require(info, bits >= 2 && bits <= 8, "bits must be 2 to 8");
  require(info, candidates >= 1 && candidates <= 256, "there are 1 to 256 candidates");
  const CandidateSearch search{arguments.data<float>(0, n * k), k, block, static_cast<int>(bits), block_gram_of(info, arguments, 5, k, block), optional_floats(info, arguments, 6, n * k),
                               optional_floats(info, arguments, 7, n * (k / block)), candidates, arguments.data<uint8_t>(9, n * (k / block)), arguments.data<float>(10, n * (k / block))};
  over_rows(table, n, k, arguments.threads(11), [&](size_t begin, size_t end, float* memory) { table.search_candidates(search, begin, end, memory); });
}

}  // namespace

const SolverTable& solver_table(const char* family) {
#if defined(__x86_64__)
  return table_of(family, portable_solvers, avx2_solvers, avx512_solvers);
#else
  return portable_solvers;
#endif
}

Napi::Object bind_solvers(Napi::Env env, const SolverTable& table) {
  Napi::Object solvers = Napi::Object::New(env);
  bind<SolverTable, round_to_grid>(solvers, "roundToGrid", table);
  bind<SolverTable, values_on_grid>(solvers, "valuesOnGrid", table);
  bind<SolverTable, round_with_feedback>(solvers, "roundWithFeedback", table);
  bind<SolverTable, descend>(solvers, "descend", table);
  bind<SolverTable, row_losses>(solvers, "rowLosses", table);
  bind<SolverTable, search_lpbq>(solvers, "searchLpbq", table);
  bind<SolverTable, search_candidates>(solvers, "searchCandidates", table);
  return solvers;
}

}  // namespace tundish
