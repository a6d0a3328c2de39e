// From JavaScript arguments to the steps of a decoder block: checks lengths, splits the work between threads.
#include "calls.h"

#include <vector>

#include "../arguments.h"
#include "../bound_call.h"
#include "../parallel.h"
#include "../products/scratch.h"
#include "../variants.h"

namespace tundish {
namespace {

// With these bounds the product of tokens, heads and columns does not overflow. ts/decoder-kernels.ts has the same ones.
constexpr size_t kMaxHeads = 65536;

void rms_norm(const Napi::CallbackInfo& info, const DecoderTable& table) {
  const Arguments arguments(info);
  const size_t rows = arguments.size(4), columns = arguments.size(5);
  const float *x = arguments.data<float>(0, rows * columns), *gain = arguments.data<float>(1, columns);
  const float epsilon = arguments.real(2);
  float* out = arguments.data<float>(3, rows * columns);
  parallel(rows, row_grain(columns), arguments.threads(6), [&](size_t, size_t begin, size_t end) { table.rms_norm(x, gain, columns, epsilon, out, begin, end); });
}

void rotate(const Napi::CallbackInfo& info, const DecoderTable& table) {
  const Arguments arguments(info);
  const size_t tokens = arguments.size(3), heads = arguments.size(4), head_dim = arguments.size(5);
  require(info, head_dim % 2 == 0, "a head must have an even size");
  const Rotation rotation{arguments.data<float>(0, tokens * heads * head_dim), arguments.data<float>(1, tokens * head_dim / 2),
                          arguments.data<float>(2, tokens * head_dim / 2), heads, head_dim};
  parallel(tokens, row_grain(heads * head_dim), arguments.threads(6), [&](size_t, size_t begin, size_t end) { table.rotate(rotation, begin, end); });
}

void silu_multiply(const Napi::CallbackInfo& info, const DecoderTable& table) {
  const Arguments arguments(info);
  const size_t count = arguments.array<float>(0).ElementLength();
  float* gate = arguments.data<float>(0, count);
  const float* up = arguments.data<float>(1, count);
  parallel(count, kElementGrain, arguments.threads(2), [&](size_t, size_t begin, size_t end) { table.silu_multiply(gate + begin, up + begin, end - begin); });
}

void silu_multiply_backward(const Napi::CallbackInfo& info, const DecoderTable& table) {
  const Arguments arguments(info);
  const size_t count = arguments.array<float>(0).ElementLength();
  float *gate = arguments.data<float>(0, count), *up = arguments.data<float>(1, count);
  const float* gradient = arguments.data<float>(2, count);
  parallel(count, kElementGrain, arguments.threads(3), [&](size_t, size_t begin, size_t end) { table.silu_multiply_backward(gate + begin, up + begin, gradient + begin, end - begin); });
}

void causal_softmax_backward(const Napi::CallbackInfo& info, const DecoderTable& table) {
  const Arguments arguments(info);
  const size_t tokens = arguments.size(2);
  float *scores = arguments.data<float>(0, tokens * tokens), *gradient = arguments.data<float>(1, tokens * tokens);
  const float scale = arguments.real(3);
  parallel(tokens, row_grain(tokens), arguments.threads(4), [&](size_t, size_t begin, size_t end) { table.causal_softmax_backward(scores, gradient, tokens, scale, begin, end); });
}

// One row of the addend that fits all of x is cut by elements, many rows are cut between rows.
void add(const Napi::CallbackInfo& info, const DecoderTable& table) {
  const Arguments arguments(info);
  const size_t rows = arguments.size(2), columns = arguments.size(3), threads = arguments.threads(4);
  float* x = arguments.data<float>(0, rows * columns);
  const float* addend = arguments.data<float>(1, columns);
  if (rows == 1) {
    parallel(columns, kElementGrain, threads, [&](size_t, size_t begin, size_t end) { table.add(x + begin, addend + begin, end - begin); });
  } else {
    parallel(rows, row_grain(columns), threads, [&](size_t, size_t begin, size_t end) {
      for (size_t row = begin; row < end; row++) table.add(x + row * columns, addend, columns);
    });
  }
}

void causal_attention(const Napi::CallbackInfo& info, const DecoderTable& table) {
  const Arguments arguments(info);
  const size_t tokens = arguments.size(4), heads = arguments.size(5), kv_heads = arguments.size(6), head_dim = arguments.size(7);
  require(info, head_dim > 0 && kv_heads > 0 && heads % kv_heads == 0, "query heads must be a multiple of key heads");
  require(info, heads <= kMaxHeads && head_dim <= kMaxHeads, "there are at most 65536 heads of at most 65536 columns");
  const CausalAttention attention{arguments.data<float>(0, tokens * heads * head_dim), arguments.data<float>(1, tokens * kv_heads * head_dim),
                                  arguments.data<float>(2, tokens * kv_heads * head_dim), arguments.data<float>(3, tokens * heads * head_dim),
                                  tokens, heads, kv_heads, head_dim, arguments.real(8)};
  const size_t tiles = (tokens + table.attention_queries - 1) / table.attention_queries, threads = arguments.threads(9);
  // Tiles below which a thread of its own costs more than it brings.
  const size_t grain = row_grain(table.attention_queries * tokens);
  const size_t size = table.attention_scratch(tokens, head_dim);
  std::vector<Scratch<float>> memory(threads);
  // Taken here, where a failure can be told to the caller; a thread that takes it again gets the same memory.
  for (Scratch<float>& part : memory) part.take(size);
  parallel(heads * tiles, grain, threads, [&](size_t index, size_t begin, size_t end) {
    table.causal_attention(attention, begin, end, memory[index].take(size));
  });
}

}  // namespace

const DecoderTable& decoder_table(const char* family) {
#if defined(__x86_64__)
  return table_of(family, portable_decoder, avx2_decoder, avx512_decoder);
#else
  return portable_decoder;
#endif
}

Napi::Object bind_decoder(Napi::Env env, const DecoderTable& table) {
  Napi::Object kernels = Napi::Object::New(env);
  bind<DecoderTable, rms_norm>(kernels, "rmsNorm", table);
  bind<DecoderTable, rotate>(kernels, "rotate", table);
  bind<DecoderTable, causal_attention>(kernels, "causalAttention", table);
  bind<DecoderTable, silu_multiply>(kernels, "siluMultiply", table);
  bind<DecoderTable, add>(kernels, "add", table);
  bind<DecoderTable, silu_multiply_backward>(kernels, "siluMultiplyBackward", table);
  bind<DecoderTable, causal_softmax_backward>(kernels, "causalSoftmaxBackward", table);
  return kernels;
}

}  // namespace tundish
