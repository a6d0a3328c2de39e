// Runs parts on threads of their own; the calling thread takes its turns too.
#include "parallel.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <thread>
#include <vector>

namespace tundish {

void take_turns(size_t parts, size_t threads, const std::function<void(size_t, size_t)>& work) {
  std::atomic<size_t> next{0};
  const auto run = [&](size_t thread) {
    for (size_t part = next++; part < parts; part = next++) work(thread, part);
  };
  std::vector<std::thread> workers;
  workers.reserve(threads);
  for (size_t thread = 1; thread < std::min(threads, parts); thread++) {
    try {
      workers.emplace_back(run, thread);
    } catch (const std::exception&) {
      break;  // No thread to be had: the others take its turns, with the same result.
    }
  }
  run(0);
  for (std::thread& worker : workers) worker.join();
}

void parallel(size_t count, size_t grain, size_t threads, const std::function<void(size_t, size_t, size_t)>& part) {
  const size_t grains = (count + grain - 1) / grain;
  const size_t workers = std::max<size_t>(1, std::min(threads, grains)), small = workers == 1 ? 0 : workers * kSmallParts;
  const size_t large = small == 0 ? grains : static_cast<size_t>(kLargeShare * static_cast<double>(grains));
  const auto cut = [&](size_t index) { return grain * (index <= workers ? large * index / workers : large + (grains - large) * (index - workers) / small); };
  take_turns(workers + small, workers, [&](size_t thread, size_t index) {
    const size_t begin = cut(index), end = std::min(count, cut(index + 1));
    if (begin < end) part(thread, begin, end);
  });
}

}  // namespace tundish
