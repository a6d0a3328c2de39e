// The steps of a decoder block as compiled for one instruction set. Each works on a range of rows, elements or items, so
// that a caller may split the work between threads; results never depend on the split.
#pragma once

#include <cstddef>

namespace tundish {

// x [tokens, heads, head_dim] in place; cos and sin [tokens, head_dim / 2].
struct Rotation {
  float* x;
  const float* cos;
  const float* sin;
  size_t heads;
  size_t head_dim;
};

// q and out [tokens, heads, head_dim], k and v [tokens, kv_heads, head_dim].
struct CausalAttention {
  const float* q;
  const float* k;
  const float* v;
  float* out;
  size_t tokens;
  size_t heads;
  size_t kv_heads;
  size_t head_dim;
  float scale;
};

struct DecoderTable {
  const char* isa;

  void (*rms_norm)(const float* x, const float* gain, size_t columns, float epsilon, float* out, size_t row_begin, size_t row_end);
  // Rows are tokens.
  void (*rotate)(const Rotation& rotation, size_t row_begin, size_t row_end);
  void (*silu_multiply)(float* gate, const float* up, size_t count);
  void (*add)(float* x, const float* addend, size_t count);
  // From gate, up and the gradient of silu(gate) up to the gradients of gate and up, in their places.
  void (*silu_multiply_backward)(float* gate, float* up, const float* gradient, size_t count);
  // Scores and the gradient of their softmax [tokens, tokens] become the softmax and the gradient of the scores.
  void (*causal_softmax_backward)(float* scores, float* gradient, size_t tokens, float scale, size_t row_begin, size_t row_end);

  // An item is up to attention_queries queries of one head; items of a head follow each other. `scratch` is 64-byte
  // aligned, belongs to one thread and holds attention_scratch(...) floats.
  void (*causal_attention)(const CausalAttention& attention, size_t item_begin, size_t item_end, float* scratch);
  size_t (*attention_scratch)(size_t tokens, size_t head_dim);
  size_t attention_queries;
};

extern const DecoderTable portable_decoder;
#if defined(__x86_64__)
extern const DecoderTable avx2_decoder;
extern const DecoderTable avx512_decoder;
#endif

// The steps as compiled for the kernels of that name.
const DecoderTable& decoder_table(const char* family);

}  // namespace tundish
