#include "log.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <deque>
#include <mutex>

namespace tundish::qnn {
namespace {

constexpr size_t kMostLines = 20'000;
constexpr uint32_t kWarning = 2;

std::mutex mutex;
std::deque<LogLine> lines;

}  // namespace

void write_log(const char* format, uint32_t level, uint64_t, va_list arguments) {
  char text[4096];
  const int printed = vsnprintf(text, sizeof text - 1, format, arguments);
  if (printed <= 0) return;
  size_t length = std::min<size_t>(printed, sizeof text - 2);
  while (length > 0 && (text[length - 1] == '\n' || text[length - 1] == ' ')) length--;
  if (length == 0) return;
  const std::lock_guard lock(mutex);
  if (lines.size() == kMostLines) lines.pop_front();
  lines.push_back({level, std::string(text, length)});
  // Lines of less weight would push the last words of a process out of what its parent keeps.
  if (level > kWarning) return;
  text[length] = '\n';
  // One call, so that lines of several threads stay whole; nobody can be told that it failed.
  [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, text, length + 1);
}

std::vector<LogLine> take_log() {
  const std::lock_guard lock(mutex);
  std::vector<LogLine> taken(lines.begin(), lines.end());
  lines.clear();
  return taken;
}

}  // namespace tundish::qnn
