// Runs the parts of a split on threads of their own; the calling thread takes the first part.
#include "parallel.h"

#include <algorithm>
#include <exception>
#include <thread>
#include <vector>

namespace tundish {

void parallel(size_t count, size_t grain, size_t threads, const std::function<void(size_t, size_t, size_t)>& part) {
  const size_t grains = (count + grain - 1) / grain;
  const size_t parts = std::max<size_t>(1, std::min(threads, grains));
  const auto run = [&](size_t index) {
    const size_t begin = grains * index / parts * grain;
    const size_t end = std::min(count, grains * (index + 1) / parts * grain);
    if (begin < end) part(index, begin, end);
  };
  std::vector<std::thread> workers;
  workers.reserve(parts);
  for (size_t index = 1; index < parts; index++) {
    try {
      workers.emplace_back(run, index);
    } catch (const std::exception&) {
      run(index);  // No thread to be had: the part is done here, with the same result.
    }
  }
  run(0);
  for (std::thread& worker : workers) worker.join();
}

}  // namespace tundish
