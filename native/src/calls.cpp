// From JavaScript arguments to kernels: checks lengths, splits the work between threads, allocates nothing for results.
#include "calls.h"

#include <algorithm>
#include <atomic>
#include <limits>
#include <vector>

#include "algebra/multiply.h"
#include "arguments.h"
#include "bound_call.h"
#include "parallel.h"

namespace tundish {
namespace {

void quantize_lpbq(const Napi::CallbackInfo& info, const KernelTable& table) {
  const Arguments arguments(info);
  const size_t n = arguments.size(1), k = arguments.size(2), block = arguments.size(3);
  require(info, block > 0 && block % 2 == 0 && k % block == 0, "the block size must be even and divide k");
  const LpbqArrays arrays{arguments.data<float>(0, n * k), k, block, arguments.data<uint8_t>(4, n * k / 2),
                          arguments.data<uint8_t>(5, n * k / block), arguments.data<float>(6, n)};
  parallel(n, row_grain(k), arguments.threads(7), [&](size_t, size_t begin, size_t end) { table.quantize_lpbq(arrays, begin, end); });
}

void dequantize_lpbq(const Napi::CallbackInfo& info, const KernelTable& table) {
  const Arguments arguments(info);
  const size_t n = arguments.size(3), k = arguments.size(4), block = arguments.size(5);
  require(info, block > 0 && block % 2 == 0 && k % block == 0, "the block size must be even and divide k");
  const LpbqWeight weight{arguments.data<uint8_t>(0, n * k / 2), arguments.data<uint8_t>(1, n * k / block), arguments.data<float>(2, n), k, block};
  float* out = arguments.data<float>(6, n * k);
  parallel(n, row_grain(k), arguments.threads(7), [&](size_t, size_t begin, size_t end) { table.dequantize_lpbq(weight, out, begin, end); });
}

void quantize_per_channel(const Napi::CallbackInfo& info, const KernelTable& table) {
  const Arguments arguments(info);
  const size_t n = arguments.size(1), k = arguments.size(2), bits = arguments.size(3);
  require(info, bits == 4 || bits == 8, "bits must be 4 or 8");
  const float* w = arguments.data<float>(0, n * k);
  int8_t* codes = arguments.data<int8_t>(4, n * k);
  float* scale = arguments.data<float>(5, n);
  parallel(n, row_grain(k), arguments.threads(6), [&](size_t, size_t begin, size_t end) {
    table.quantize_per_channel(w, k, static_cast<int>(bits), codes, scale, begin, end);
  });
}

void dequantize_per_channel(const Napi::CallbackInfo& info, const KernelTable& table) {
  const Arguments arguments(info);
  const size_t n = arguments.size(2), k = arguments.size(3);
  const int8_t* codes = arguments.data<int8_t>(0, n * k);
  const float* scale = arguments.data<float>(1, n);
  float* out = arguments.data<float>(4, n * k);
  parallel(n, row_grain(k), arguments.threads(5), [&](size_t, size_t begin, size_t end) {
    table.dequantize_per_channel(codes, scale, k, out, begin, end);
  });
}

template <typename Code>
void quantize_on_grid(const Napi::CallbackInfo& info, void (*kernel)(const float*, size_t, float, float, Code*)) {
  const Arguments arguments(info);
  const size_t count = arguments.array<float>(0).ElementLength(), zero_point = arguments.size(2);
  require(info, zero_point <= std::numeric_limits<Code>::max(), "the zero point must be one of the codes");
  const float* w = arguments.data<float>(0, count);
  const float scale = arguments.real(1);
  Code* codes = arguments.data<Code>(3, count);
  parallel(count, kElementGrain, arguments.threads(4), [&](size_t, size_t begin, size_t end) {
    kernel(w + begin, end - begin, scale, static_cast<float>(zero_point), codes + begin);
  });
}

void quantize_on_grid8(const Napi::CallbackInfo& info, const KernelTable& table) { quantize_on_grid(info, table.quantize_on_grid8); }

void quantize_on_grid16(const Napi::CallbackInfo& info, const KernelTable& table) { quantize_on_grid(info, table.quantize_on_grid16); }

// The union of the ranges of the parts; `min_max` is associative, so the split does not show.
void min_max(const Napi::CallbackInfo& info, const KernelTable& table) {
  const Arguments arguments(info);
  const size_t count = arguments.array<float>(0).ElementLength(), threads = arguments.threads(2);
  const float* x = arguments.data<float>(0, count);
  float* out = arguments.data<float>(1, 2);
  const auto unite = [](const Range& a, const Range& b) { return Range{std::min(a.min, b.min), std::max(a.max, b.max)}; };
  std::vector<Range> ranges(threads, table.min_max(x, 0));
  parallel(count, kElementGrain, threads, [&](size_t thread, size_t begin, size_t end) { ranges[thread] = unite(ranges[thread], table.min_max(x + begin, end - begin)); });
  Range whole = ranges[0];
  for (const Range& part : ranges) whole = unite(whole, part);
  out[0] = whole.min;
  out[1] = whole.max;
}

Napi::Value all_finite(const Napi::CallbackInfo& info, const KernelTable& table) {
  const Arguments arguments(info);
  const size_t count = arguments.array<float>(0).ElementLength();
  const float* x = arguments.data<float>(0, count);
  std::atomic<bool> all{true};
  parallel(count, kElementGrain, arguments.threads(1), [&](size_t, size_t begin, size_t end) {
    if (!table.all_finite(x + begin, end - begin)) all = false;
  });
  return Napi::Boolean::New(info.Env(), all);
}

void widen(const Napi::CallbackInfo& info, void (*kernel)(const uint16_t*, size_t, float*)) {
  const Arguments arguments(info);
  const size_t count = arguments.array<uint16_t>(0).ElementLength();
  const uint16_t* from = arguments.data<uint16_t>(0, count);
  float* to = arguments.data<float>(1, count);
  parallel(count, kElementGrain, arguments.threads(2), [&](size_t, size_t begin, size_t end) { kernel(from + begin, end - begin, to + begin); });
}

void widen_bf16(const Napi::CallbackInfo& info, const KernelTable& table) { widen(info, table.widen_bf16); }

void widen_f16(const Napi::CallbackInfo& info, const KernelTable& table) { widen(info, table.widen_f16); }

void subtract(const Napi::CallbackInfo& info, const KernelTable& table) {
  const Arguments arguments(info);
  const size_t count = arguments.array<float>(0).ElementLength();
  const float *a = arguments.data<float>(0, count), *b = arguments.data<float>(1, count);
  float* out = arguments.data<float>(2, count);
  parallel(count, kElementGrain, arguments.threads(3), [&](size_t, size_t begin, size_t end) { table.subtract(a + begin, b + begin, end - begin, out + begin); });
}

void sgemm(const Napi::CallbackInfo& info, const KernelTable& table) {
  const Arguments arguments(info);
  const size_t m = arguments.size(3), n = arguments.size(4), k = arguments.size(5);
  const bool transpose_b = arguments.flag(6);
  multiply(table, {.a = arguments.data<float>(0, m * k), .b = arguments.data<float>(1, k * n), .out = arguments.data<float>(2, m * n),
                   .m = m, .n = n, .k = k, .lda = k, .ldb = transpose_b ? k : n, .ldo = n, .transpose_b = transpose_b}, arguments.threads(7));
}

void fwht(const Napi::CallbackInfo& info, const KernelTable& table) {
  const Arguments arguments(info);
  const size_t rows = arguments.size(1), n = arguments.size(2);
  require(info, n > 0 && (n & (n - 1)) == 0, "n must be a power of two");
  float* x = arguments.data<float>(0, rows * n);
  parallel(rows, row_grain(n), arguments.threads(3), [&](size_t, size_t begin, size_t end) { table.fwht(x, n, begin, end); });
}

}  // namespace

Napi::Object bind_kernels(Napi::Env env, const KernelTable& table) {
  Napi::Object kernels = Napi::Object::New(env);
  bind<KernelTable, quantize_lpbq>(kernels, "quantizeLpbq", table);
  bind<KernelTable, dequantize_lpbq>(kernels, "dequantizeLpbq", table);
  bind<KernelTable, quantize_per_channel>(kernels, "quantizePerChannel", table);
  bind<KernelTable, dequantize_per_channel>(kernels, "dequantizePerChannel", table);
  bind<KernelTable, quantize_on_grid8>(kernels, "quantizeOnGrid8", table);
  bind<KernelTable, quantize_on_grid16>(kernels, "quantizeOnGrid16", table);
  bind<KernelTable, min_max>(kernels, "minMax", table);
  bind<KernelTable, all_finite>(kernels, "allFinite", table);
  bind<KernelTable, widen_bf16>(kernels, "widenBf16", table);
  bind<KernelTable, widen_f16>(kernels, "widenF16", table);
  bind<KernelTable, subtract>(kernels, "subtract", table);
  bind<KernelTable, sgemm>(kernels, "sgemm", table);
  bind<KernelTable, fwht>(kernels, "fwht", table);
  return kernels;
}

}  // namespace tundish
