// Completes square matrices of which one triangle is known.
#pragma once

#include <cstddef>

namespace tundish {

// a [n, n]: every element below the diagonal becomes the one across it.
void mirror_upper(float* a, size_t n);

// a [n, n]: every element above the diagonal becomes +0.
void clear_upper(float* a, size_t n);

}  // namespace tundish
