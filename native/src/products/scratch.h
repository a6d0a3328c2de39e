// Memory for planes and panels, aligned for the widest loads.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <new>

namespace tundish {

// Grows, and is used again and again by whoever holds it.
template <typename T>
class Scratch {
 public:
  ~Scratch() { std::free(data_); }
  T* take(size_t count) {
    if (count > capacity_) {
      std::free(data_);
      const size_t bytes = (count * sizeof(T) + 63) / 64 * 64;
      data_ = static_cast<T*>(std::aligned_alloc(64, bytes));
      if (data_ == nullptr) throw std::bad_alloc();
      capacity_ = count;
    }
    return data_;
  }

 private:
  T* data_ = nullptr;
  size_t capacity_ = 0;
};

}  // namespace tundish
