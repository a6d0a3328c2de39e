// Causal attention with queries in the lanes of vectors: a tile of queries goes over all keys that it sees, then over their
// values, so the softmax needs no sum across lanes. ts/typescript/decoder/causal-attention.ts is the twin.
#pragma once

#include "exponential.h"
#include "table.h"

namespace {

using tundish::CausalAttention;

// Queries of a tile, two vectors of them.
constexpr size_t kQueries = 2 * kWidth;
// Keys, or columns of values, whose chains are in registers together.
constexpr size_t kRows = TUNDISH_ATTENTION_ROWS;
// Values that go over all columns while their weights are in the first cache.
constexpr size_t kSlice = 64;
// Partial sums of the exponentials, by token mod kParts.
constexpr size_t kParts = 8;

inline size_t smaller(size_t a, size_t b) { return a < b ? a : b; }

// Memory of one thread. Keys and values are copies of one head, without the heads between its rows.
struct Scratch {
  float* keys;     // [tokens, head_dim]
  float* values;   // [tokens, head_dim]
  float* query;    // [head_dim, kQueries]
  float* context;  // [head_dim, kQueries]
  float* weights;  // [tokens, kQueries]: scores, then their exponentials
};

size_t attention_scratch(size_t tokens, size_t head_dim) { return 2 * tokens * head_dim + 2 * head_dim * kQueries + (tokens + kQueries) * kQueries; }

// The parts with vectors come first, so that they stay aligned for any size of a head.
Scratch divide(float* memory, size_t tokens, size_t head_dim) {
  float *query = memory, *context = query + head_dim * kQueries, *weights = context + head_dim * kQueries;
  float *keys = weights + (tokens + kQueries) * kQueries, *values = keys + tokens * head_dim;
  return {keys, values, query, context, weights};
}

// Lanes whose query sees a key that is `ahead` tokens behind the tile's first query.
inline IntegerVector sees(size_t first_lane, size_t ahead) {
  IntegerVector lane = {};
  for (size_t i = 0; i < kWidth; i++) lane[i] = static_cast<int32_t>(first_lane + i);
  return lane >= static_cast<int32_t>(ahead);
}

// Continues Rows x kQueries chains: out[r][lane] += a[r * row + p * step] * b[p][lane] over ascending p. With Causal, b[p]
// belongs to the key `ahead + p`, and lanes that do not see it keep their chain.
template <size_t Rows, bool Causal>
inline void multiply_rows(const float* a, size_t row, size_t step, const float* b, size_t depth, float* out, bool first, size_t ahead) {
  Vector chain[Rows][2];
#pragma GCC unroll 8
  for (size_t r = 0; r < Rows; r++) {
    chain[r][0] = first ? Vector{} : load(out + r * kQueries);
    chain[r][1] = first ? Vector{} : load(out + r * kQueries + kWidth);
  }
  for (size_t p = 0; p < depth; p++) {
    const Vector left = load(b + p * kQueries), right = load(b + p * kQueries + kWidth);
#pragma GCC unroll 8
    for (size_t r = 0; r < Rows; r++) {
      const Vector x = broadcast(a[r * row + p * step]);
      const Vector next_left = fused(x, left, chain[r][0]), next_right = fused(x, right, chain[r][1]);
      chain[r][0] = Causal ? (sees(0, ahead + p) ? next_left : chain[r][0]) : next_left;
      chain[r][1] = Causal ? (sees(kWidth, ahead + p) ? next_right : chain[r][1]) : next_right;
    }
  }
#pragma GCC unroll 8
  for (size_t r = 0; r < Rows; r++) {
    store(out + r * kQueries, chain[r][0]);
    store(out + r * kQueries + kWidth, chain[r][1]);
  }
}

template <bool Causal>
inline void multiply(const float* a, size_t row, size_t step, const float* b, size_t depth, float* out, size_t rows, bool first, size_t ahead) {
  size_t r = 0;
  for (; r + kRows <= rows; r += kRows) multiply_rows<kRows, Causal>(a + r * row, row, step, b, depth, out + r * kQueries, first, ahead);
  for (; r < rows; r++) multiply_rows<1, Causal>(a + r * row, row, step, b, depth, out + r * kQueries, first, ahead);
}

// Tokens of one head as rows of their own.
void gather(const float* x, size_t tokens, size_t heads, size_t head, size_t head_dim, float* rows) {
  for (size_t token = 0; token < tokens; token++) {
    __builtin_memcpy(rows + token * head_dim, x + (token * heads + head) * head_dim, head_dim * sizeof(float));
  }
}

// Queries [start, start + kQueries) of a head with a query in each lane; lanes behind the last token are zero.
void load_queries(const CausalAttention& attention, size_t head, size_t start, float* query) {
  for (size_t lane = 0; lane < kQueries; lane++) {
    const bool inside = start + lane < attention.tokens;
    const float* from = attention.q + ((start + lane) * attention.heads + head) * attention.head_dim;
    for (size_t p = 0; p < attention.head_dim; p++) query[p * kQueries + lane] = inside ? from[p] : 0.0f;
  }
}

// Scales the scores of a vector of lanes and gives the largest visible one; those that a query does not see become -inf.
inline Vector scale_scores(float* scores, size_t first_lane, size_t start, size_t keys, float scale) {
  const Vector nothing = broadcast(-__builtin_inff()), factor = broadcast(scale);
  Vector largest = nothing;
  for (size_t j = 0; j < keys; j++) {
    float* at = scores + j * kQueries + first_lane;
    Vector score = load(at) * factor;
    if (j > start) score = sees(first_lane, j - start) ? score : nothing;
    store(at, score);
    largest = score > largest ? score : largest;
  }
  return largest;
}

// Replaces scores by exp(score - largest); gives their sums.
inline Vector exponentiate(float* scores, size_t keys, Vector largest) {
  Vector sums[kParts] = {};
  for (size_t j = 0; j < keys; j++) {
    const Vector value = exponential(load(scores + j * kQueries) - largest);
    store(scores + j * kQueries, value);
    sums[j % kParts] += value;
  }
  for (size_t half = kParts / 2; half >= 1; half /= 2) {
    for (size_t i = 0; i < half; i++) sums[i] += sums[i + half];
  }
  return sums[0];
}

// The values of the keys that all queries of the tile see go in slices; those on the diagonal go one lane mask each.
void weigh_values(const Scratch& scratch, size_t start, size_t keys, size_t head_dim) {
  for (size_t j = 0; j <= start; j += kSlice) {
    multiply<false>(scratch.values + j * head_dim, 1, head_dim, scratch.weights + j * kQueries, smaller(kSlice, start + 1 - j), scratch.context, head_dim, j == 0, 0);
  }
  multiply<true>(scratch.values + (start + 1) * head_dim, 1, head_dim, scratch.weights + (start + 1) * kQueries, keys - start - 1, scratch.context, head_dim, false, 1);
}

void store_context(const CausalAttention& attention, size_t head, size_t start, const float* context) {
  for (size_t lane = 0; lane < smaller(kQueries, attention.tokens - start); lane++) {
    float* to = attention.out + ((start + lane) * attention.heads + head) * attention.head_dim;
    for (size_t c = 0; c < attention.head_dim; c++) to[c] = context[c * kQueries + lane];
  }
}

void attend_tile(const CausalAttention& attention, size_t head, size_t start, const Scratch& scratch) {
  const size_t head_dim = attention.head_dim, keys = smaller(start + kQueries, attention.tokens);
  load_queries(attention, head, start, scratch.query);
  multiply<false>(scratch.keys, head_dim, 1, scratch.query, head_dim, scratch.weights, keys, true, 0);
  Vector sums[2];
  for (size_t i = 0; i < 2; i++) {
    const Vector largest = scale_scores(scratch.weights, i * kWidth, start, keys, attention.scale);
    sums[i] = exponentiate(scratch.weights + i * kWidth, keys, largest);
  }
  weigh_values(scratch, start, keys, head_dim);
  for (size_t c = 0; c < head_dim; c++) {
    for (size_t i = 0; i < 2; i++) {
      float* at = scratch.context + c * kQueries + i * kWidth;
      store(at, load(at) / sums[i]);
    }
  }
  store_context(attention, head, start, scratch.context);
}

void causal_attention(const CausalAttention& attention, size_t item_begin, size_t item_end, float* memory) {
  const Scratch scratch = divide(memory, attention.tokens, attention.head_dim);
  const size_t tiles = (attention.tokens + kQueries - 1) / kQueries, members = attention.heads / attention.kv_heads;
  size_t gathered = attention.kv_heads;
  for (size_t item = item_begin; item < item_end; item++) {
    const size_t head = item / tiles, kv_head = head / members;
    if (kv_head != gathered) {
      gather(attention.k, attention.tokens, attention.kv_heads, kv_head, attention.head_dim, scratch.keys);
      gather(attention.v, attention.tokens, attention.kv_heads, kv_head, attention.head_dim, scratch.values);
      gathered = kv_head;
    }
    attend_tile(attention, head, item % tiles * kQueries, scratch);
  }
}

}  // namespace
