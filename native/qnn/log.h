// What the libraries log, from any of their threads: the last lines in memory, errors and warnings also on stderr for whoever survives a crash.
#pragma once

#include <cstdarg>
#include <cstdint>
#include <string>
#include <vector>

namespace tundish::qnn {

struct LogLine {
  // 1 error, 2 warning, 3 info, 4 verbose, 5 debug.
  uint32_t level;
  std::string text;
};

// The callback that logCreate takes.
void write_log(const char* format, uint32_t level, uint64_t timestamp, va_list arguments);

// The lines since the last call, at most 20,000 of them, oldest first.
std::vector<LogLine> take_log();

}  // namespace tundish::qnn
