// What algebra on whole matrices computes with: a variant of the kernels and the scratch of its threads.
#pragma once

#include <cstddef>
#include <memory>
#include <new>
#include <vector>

#include "../kernels/table.h"

namespace tundish {

class Workspace {
 public:
  // All memory is taken here, before any thread starts. Throws std::bad_alloc.
  Workspace(const KernelTable& table, size_t threads) : table_(table) {
    for (size_t i = 0; i < threads; i++) {
      scratch_.emplace_back(static_cast<float*>(::operator new(table.sgemm_scratch * sizeof(float), std::align_val_t(64))));
    }
  }

  const KernelTable& table() const { return table_; }
  float* scratch(size_t thread) const { return scratch_[thread].get(); }

  // Threads for so many multiplications: below about 50 microseconds a second one costs more than it brings.
  size_t threads(size_t multiplications) const { return multiplications < kSerial ? 1 : scratch_.size(); }

 private:
  struct AlignedDelete {
    void operator()(float* memory) const { ::operator delete(memory, std::align_val_t(64)); }
  };

  static constexpr size_t kSerial = size_t{1} << 21;

  const KernelTable& table_;
  std::vector<std::unique_ptr<float, AlignedDelete>> scratch_;
};

}  // namespace tundish
