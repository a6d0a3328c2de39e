// Cuts products into tiles that threads take in turn.
#include "multiply.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <vector>

#include "../parallel.h"

namespace tundish {
namespace {

// A large strip across the longer side for each thread, and the rest of the matrix cut the other way: a tile packs its rows
// and its columns, so small tiles that are narrow strips would cost more.
std::vector<Tile> tiles_of(const KernelTable& table, const MatrixProduct& product, size_t threads) {
  const bool is_triangle = product.part != Part::kAll, by_rows = is_triangle ? product.part == Part::kLower : product.m > product.n;
  const size_t length = by_rows ? product.m : product.n, width = by_rows ? product.n : product.m;
  const size_t grain = by_rows ? table.sgemm_rows : table.sgemm_columns, across = by_rows ? table.sgemm_columns : table.sgemm_rows;
  const auto cut = [](double share, size_t size, size_t multiple) {
    return share < 1.0 ? static_cast<size_t>(share * static_cast<double>(size)) / multiple * multiple : size;
  };
  // Where a strip ends that has this share of the work before it; rows, or columns, of a triangle grow from one element to n.
  const auto strip = [&](double share) { return cut(is_triangle ? std::sqrt(share) : share, length, grain); };
  std::vector<Tile> tiles;
  const auto add = [&](size_t from, size_t to, size_t begin, size_t end) {
    if (from < to && begin < end) tiles.push_back(by_rows ? Tile{from, to, begin, end} : Tile{begin, end, from, to});
  };
  const double parts = static_cast<double>(threads), large = threads == 1 ? 1.0 : kLargeShare;
  for (double part = 0; part < parts; part++) {
    const size_t to = strip(large * (part + 1) / parts);
    add(strip(large * part / parts), to, 0, is_triangle ? to : width);
  }
  const double small = parts * kSmallParts;
  for (double part = 0; part < small; part++) add(strip(large), length, cut(part / small, width, across), cut((part + 1) / small, width, across));
  return tiles;
}

}  // namespace

void multiply(const Workspace& workspace, const MatrixProduct& product) {
  const size_t threads = workspace.threads(product.m * product.n * product.k);
  const std::vector<Tile> tiles = tiles_of(workspace.table(), product, threads);
  take_turns(tiles.size(), threads, [&](size_t thread, size_t index) { workspace.table().sgemm(product, tiles[index], workspace.scratch(thread)); });
}

void multiply(const KernelTable& table, const MatrixProduct& product, size_t threads) { multiply(Workspace(table, threads), product); }

namespace {

// Rows of a transposed operand that are copied together: whole slices of every chain.
constexpr size_t kStripRows = 1024;

// Columns of `rows` rows beside each other: packing reads them several times, and rows far apart share too few lines of the
// cache and entries of its page table to be come back to.
void copy_columns(const float* from, size_t stride, size_t rows, size_t columns, float* to) {
  for (size_t row = 0; row < rows; row++) std::copy_n(from + row * stride, columns, to + row * columns);
}

// Elements from both operands that copies of a strip take.
size_t strip_elements(const MatrixProduct& product) { return product.transpose_a && !product.transpose_b ? kStripRows * (product.m + product.n) : 0; }

// A product whose operands are stored by rows of the sum, a strip of them at a time.
void multiply_strips(const KernelTable& table, const MatrixProduct& product, float* copies, float* scratch) {
  const bool is_gram = product.a == product.b && product.m == product.n;
  for (size_t row = 0; row < product.k; row += kStripRows) {
    const size_t rows = std::min(kStripRows, product.k - row);
    MatrixProduct strip = product;
    strip.k = rows;
    strip.a = copies;
    strip.lda = product.m;
    copy_columns(product.a + row * product.lda, product.lda, rows, product.m, copies);
    strip.b = is_gram ? copies : copies + kStripRows * product.m;
    strip.ldb = product.n;
    if (!is_gram) copy_columns(product.b + row * product.ldb, product.ldb, rows, product.n, copies + kStripRows * product.m);
    strip.accumulate = product.accumulate || row > 0;
    table.sgemm(strip, {0, product.m, 0, product.n}, scratch);
  }
}

}  // namespace

void multiply_blocks(const KernelTable& table, const MatrixProduct& first, size_t blocks, const BlockSteps& steps, size_t threads) {
  const Workspace workspace(table, threads);
  const size_t used = workspace.threads(blocks * first.m * first.n * first.k), copied = strip_elements(first);
  const std::unique_ptr<float[]> copies(new float[used * copied]);
  parallel(blocks, 1, used, [&](size_t index, size_t begin, size_t end) {
    for (size_t block = begin; block < end; block++) {
      MatrixProduct product = first;
      product.a += block * steps.a;
      product.b += block * steps.b;
      product.out += block * steps.out;
      if (copied == 0) table.sgemm(product, {0, product.m, 0, product.n}, workspace.scratch(index));
      else multiply_strips(table, product, copies.get() + index * copied, workspace.scratch(index));
    }
  });
}

}  // namespace tundish
