// Steps of weights that are learned by gradients, one table for each instruction set. Rows of a weight are independent, so
// a caller may split them between threads; results never depend on the split.
#pragma once

#include <cstddef>

namespace tundish {

// Weights [rows, k] on a grid low..high with a scale for each row and each `block` columns: scale [rows, k / block].
struct LearnedWeight {
  const float* w;
  const float* scale;
  size_t rows;
  size_t k;
  size_t block;
  float low;
  float high;

  size_t blocks() const { return k / block; }
};

// Parameters of AdaScale: value and the two moments of Adam, one array behind the other.
struct AdaScaleParameters {
  const float* range;  // [2, rows, k / block]: smallest and largest value of the grid
  float* beta;         // [3, rows, k / block]
  float* gamma;        // [3, rows, k / block]
  float* s2;           // [3, rows, k]
  float* s3;           // [3, rows]
};

// What a step of Adam needs beside the gradient: rate = lr / (1 - 0.9^t), root = sqrt(1 - 0.999^t).
struct AdamStep {
  float range_rate;
  float weight_rate;
  float root;
};

struct ReconstructionTable {
  const char* isa;

  // scale = max((e^gamma max - e^beta min) / (high - low), floor) of blocks [begin, end) in all rows; scale [rows, blocks].
  void (*ada_scale_grid)(const AdaScaleParameters& parameters, size_t count, float steps, float* scale, size_t begin, size_t end);
  // out = W / e^s2 / e^s3, or that on the grid.
  void (*ada_scale_values)(const LearnedWeight& weight, const AdaScaleParameters& parameters, bool folded, float* out, size_t row_begin, size_t row_end);
  // gradient [rows, k] of the loss in the values; slope [rows, k / block] is scratch.
  void (*ada_scale_step)(const LearnedWeight& weight, const AdaScaleParameters& parameters, const float* gradient, const AdamStep& step, float* slope, size_t row_begin, size_t row_end);

  // out = scale clamp(rint(W / scale + V)).
  void (*sign_round_values)(const LearnedWeight& weight, const float* v, float* out, size_t row_begin, size_t row_end);
  // V -= rate sign(gradient) where the grid does not saturate, within -1/2..1/2.
  void (*sign_round_step)(const LearnedWeight& weight, const float* gradient, float rate, float* v, size_t row_begin, size_t row_end);
};

extern const ReconstructionTable portable_reconstruction;
#if defined(__x86_64__)
extern const ReconstructionTable avx2_reconstruction;
extern const ReconstructionTable avx512_reconstruction;
#endif

// The steps as compiled for the kernels of that name.
const ReconstructionTable& reconstruction_table(const char* family);

}  // namespace tundish
