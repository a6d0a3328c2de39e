// From JavaScript arguments to the steps of learned weights: checks lengths, splits rows between threads.
#include "calls.h"

#include "../arguments.h"
#include "../bound_call.h"
#include "../parallel.h"
#include "../variants.h"

namespace tundish {
namespace {

// The first arguments of every call: w, n, k, scale, block, bits.
LearnedWeight weight_of(const Napi::CallbackInfo& info, const Arguments& arguments) {
  const size_t rows = arguments.size(1), k = arguments.size(2), block = arguments.size(4), bits = arguments.size(5);
  require(info, block > 0 && k % block == 0, "the block size must divide k");
  require(info, bits >= 2 && bits <= 8, "bits must be 2 to 8");
  const float bound = static_cast<float>(1 << (bits - 1));
  return {arguments.data<float>(0, rows * k), arguments.data<float>(3, rows * (k / block)), rows, k, block, -bound, bound - 1.0f};
}

// The five arguments behind those: range, beta, gamma, s2, s3.
AdaScaleParameters parameters_of(const Arguments& arguments, const LearnedWeight& weight) {
  const size_t count = weight.rows * weight.blocks();
  return {arguments.data<float>(6, 2 * count), arguments.data<float>(7, 3 * count), arguments.data<float>(8, 3 * count),
          arguments.data<float>(9, 3 * weight.rows * weight.k), arguments.data<float>(10, 3 * weight.rows)};
}

void ada_scale_grid(const Napi::CallbackInfo& info, const ReconstructionTable& table) {
  const Arguments arguments(info);
  const size_t count = arguments.array<float>(0).ElementLength(), bits = arguments.size(1);
  require(info, bits >= 2 && bits <= 8, "bits must be 2 to 8");
  const AdaScaleParameters parameters{arguments.data<float>(2, 2 * count), arguments.data<float>(3, 3 * count), arguments.data<float>(4, 3 * count), nullptr, nullptr};
  float* scale = arguments.data<float>(0, count);
  const float steps = static_cast<float>((1 << bits) - 1);
  parallel(count, kElementGrain, arguments.threads(5), [&](size_t, size_t begin, size_t end) { table.ada_scale_grid(parameters, count, steps, scale, begin, end); });
}

void ada_scale_values(const Napi::CallbackInfo& info, const ReconstructionTable& table) {
  const Arguments arguments(info);
  const LearnedWeight weight = weight_of(info, arguments);
  const AdaScaleParameters parameters = parameters_of(arguments, weight);
  const bool folded = arguments.flag(11);
  float* out = arguments.data<float>(12, weight.rows * weight.k);
  parallel(weight.rows, row_grain(weight.k), arguments.threads(13), [&](size_t, size_t begin, size_t end) { table.ada_scale_values(weight, parameters, folded, out, begin, end); });
}

void ada_scale_step(const Napi::CallbackInfo& info, const ReconstructionTable& table) {
  const Arguments arguments(info);
  const LearnedWeight weight = weight_of(info, arguments);
  const AdaScaleParameters parameters = parameters_of(arguments, weight);
  const float* gradient = arguments.data<float>(11, weight.rows * weight.k);
  const AdamStep step{arguments.real(12), arguments.real(13), arguments.real(14)};
  float* slope = arguments.data<float>(15, weight.rows * weight.blocks());
  parallel(weight.rows, row_grain(weight.k), arguments.threads(16), [&](size_t, size_t begin, size_t end) { table.ada_scale_step(weight, parameters, gradient, step, slope, begin, end); });
}

void sign_round_values(const Napi::CallbackInfo& info, const ReconstructionTable& table) {
  const Arguments arguments(info);
  const LearnedWeight weight = weight_of(info, arguments);
  const float* v = arguments.data<float>(6, weight.rows * weight.k);
  float* out = arguments.data<float>(7, weight.rows * weight.k);
  parallel(weight.rows, row_grain(weight.k), arguments.threads(8), [&](size_t, size_t begin, size_t end) { table.sign_round_values(weight, v, out, begin, end); });
}

void sign_round_step(const Napi::CallbackInfo& info, const ReconstructionTable& table) {
  const Arguments arguments(info);
  const LearnedWeight weight = weight_of(info, arguments);
  const float* gradient = arguments.data<float>(6, weight.rows * weight.k);
  const float rate = arguments.real(7);
  float* v = arguments.data<float>(8, weight.rows * weight.k);
  parallel(weight.rows, row_grain(weight.k), arguments.threads(9), [&](size_t, size_t begin, size_t end) { table.sign_round_step(weight, gradient, rate, v, begin, end); });
}

}  // namespace

const ReconstructionTable& reconstruction_table(const char* family) {
#if defined(__x86_64__)
  return table_of(family, portable_reconstruction, avx2_reconstruction, avx512_reconstruction);
#else
  return portable_reconstruction;
#endif
}

Napi::Object bind_reconstruction(Napi::Env env, const ReconstructionTable& table) {
  Napi::Object steps = Napi::Object::New(env);
  bind<ReconstructionTable, ada_scale_grid>(steps, "adaScaleGrid", table);
  bind<ReconstructionTable, ada_scale_values>(steps, "adaScaleValues", table);
  bind<ReconstructionTable, ada_scale_step>(steps, "adaScaleStep", table);
  bind<ReconstructionTable, sign_round_values>(steps, "signRoundValues", table);
  bind<ReconstructionTable, sign_round_step>(steps, "signRoundStep", table);
  return steps;
}

}  // namespace tundish
