// Splits work into contiguous parts that depend only on the size and the thread count. Threads take them in turn, because two
// cores are seldom equally fast for long: first a large part each, then small ones from the rest.
#pragma once

#include <cstddef>
#include <functional>

namespace tundish {

// What the large parts are of all work when there is more than one thread, and small parts for each thread.
inline constexpr double kLargeShare = 0.75;
inline constexpr size_t kSmallParts = 4;

// work(thread, part) for every part below `parts`; each of at most `threads` threads takes the next one that is left.
void take_turns(size_t parts, size_t threads, const std::function<void(size_t, size_t)>& work);

// part(thread, begin, end) for the parts of [0, count), cut at multiples of `grain`, on at most `threads` threads.
void parallel(size_t count, size_t grain, size_t threads, const std::function<void(size_t, size_t, size_t)>& part);

}  // namespace tundish
