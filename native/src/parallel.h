// Splits work into contiguous parts that depend only on the size and the thread count.
#pragma once

#include <cstddef>
#include <functional>

namespace tundish {

// part(index, begin, end) for each of at most `threads` parts of [0, count), cut at multiples of `grain`.
void parallel(size_t count, size_t grain, size_t threads, const std::function<void(size_t, size_t, size_t)>& part);

}  // namespace tundish
