// The longer side is split, so that each thread packs its own part of one matrix and all of the smaller one.
#include "multiply.h"

#include <memory>
#include <new>
#include <vector>

#include "../parallel.h"

namespace tundish {
namespace {

struct AlignedDelete {
  void operator()(float* memory) const { ::operator delete(memory, std::align_val_t(64)); }
};

}  // namespace

void multiply(const KernelTable& table, const MatrixProduct& product, size_t threads) {
  // Before the threads start: memory that is not there is an exception of the caller's.
  std::vector<std::unique_ptr<float, AlignedDelete>> scratch;
  for (size_t i = 0; i < threads; i++) {
    scratch.emplace_back(static_cast<float*>(::operator new(table.sgemm_scratch * sizeof(float), std::align_val_t(64))));
  }
  const bool by_rows = product.m > product.n;
  parallel(by_rows ? product.m : product.n, by_rows ? table.sgemm_rows : table.sgemm_columns, threads, [&](size_t index, size_t begin, size_t end) {
    const Tile tile = by_rows ? Tile{begin, end, 0, product.n} : Tile{0, product.m, begin, end};
    table.sgemm(product, tile, scratch[index].get());
  });
}

}  // namespace tundish
