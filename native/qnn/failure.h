// What a call of a library, or the addon before it, fails with.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>

namespace tundish::qnn {

// `code` is 0 where no library answered: the reason is then in the text. Codes of Genie are negative.
class Failure : public std::runtime_error {
 public:
  Failure(std::string call, int64_t code, const std::string& text) : std::runtime_error(text), call_(std::move(call)), code_(code) {}
  const std::string& call() const { return call_; }
  int64_t code() const { return code_; }

 private:
  std::string call_;
  int64_t code_;
};

}  // namespace tundish::qnn
