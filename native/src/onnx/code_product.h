// What both operators have in common: attributes, planes of the activations, panels of the second operand.
#pragma once

#include "../products/product.h"
#include "api.h"

namespace tundish::onnx {

[[noreturn]] inline void refuse(const std::string& why) { throw std::runtime_error(why); }

class CodeProduct {
 public:
  CodeProduct(const Api& api, const KernelInfo* info);

  struct Work {
    const uint16_t* x;
    size_t batches;
    // Rows of x that meet one matrix of the batch.
    size_t rows;
    // The matrix of batch 0; the others follow each other.
    Operand w;
    size_t matrix_bytes;
    // 16-bit codes [K, N] in place of w.codes, which is then null; the form is kColumns.
    const uint16_t* wide;
    const float* channel_scale;
    double factor;
    double w_zero;
    // Low bits that sums lose before they meet their scale, as on a Hexagon processor; 0 for exact sums.
    size_t dropped_bits;
    uint16_t* y;
  };

  // On the threads of the session. Throws when sums could leave 32 bits.
  void run(const KernelContext* context, const Work& work) const;

  const Api& api() const { return api_; }

 private:
  Api api_;
  const ProductTable& products_;
  double x_scale_;
  double x_zero_;
  float y_scale_;
  float y_zero_;
};

}  // namespace tundish::onnx
