// Fills a table with the steps as compiled for the including variant.
#pragma once

#include "causal_attention.h"
#include "elements.h"
#include "gradients.h"

namespace {

constexpr tundish::DecoderTable make_table(const char* isa) {
  return {isa, rms_norm, rotate, silu_multiply, add, silu_multiply_backward, causal_softmax_backward, causal_attention, attention_scratch, kQueries};
}

}  // namespace
