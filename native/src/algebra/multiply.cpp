// Cuts products between threads: in equal ranges of the longer side, or a triangle in strips of equal area.
#include "multiply.h"

#include <algorithm>
#include <cmath>

#include "../parallel.h"

namespace tundish {
namespace {

// Where part `index` of a triangle begins: its rows, or columns, grow from one element to n.
size_t triangle_cut(size_t n, size_t grain, size_t index, size_t parts) {
  if (index == parts) return n;
  const double share = std::sqrt(static_cast<double>(index) / static_cast<double>(parts));
  return std::min(n, static_cast<size_t>(share * static_cast<double>(n)) / grain * grain);
}

void multiply_triangle(const Workspace& workspace, const MatrixProduct& product, size_t threads) {
  const bool lower = product.part == Part::kLower;
  const size_t grain = lower ? workspace.table().sgemm_rows : workspace.table().sgemm_columns;
  parallel(threads, 1, threads, [&](size_t index, size_t begin, size_t end) {
    for (size_t strip = begin; strip < end; strip++) {
      const size_t from = triangle_cut(product.n, grain, strip, threads), to = triangle_cut(product.n, grain, strip + 1, threads);
      const Tile tile = lower ? Tile{from, to, 0, to} : Tile{0, to, from, to};
      workspace.table().sgemm(product, tile, workspace.scratch(index));
    }
  });
}

}  // namespace

void multiply(const Workspace& workspace, const MatrixProduct& product) {
  const KernelTable& table = workspace.table();
  const size_t threads = workspace.threads(product.m * product.n * product.k);
  if (product.part != Part::kAll) return multiply_triangle(workspace, product, threads);
  // The longer side is split, so that each thread packs its own part of one matrix and all of the smaller one.
  const bool by_rows = product.m > product.n;
  parallel(by_rows ? product.m : product.n, by_rows ? table.sgemm_rows : table.sgemm_columns, threads, [&](size_t index, size_t begin, size_t end) {
    const Tile tile = by_rows ? Tile{begin, end, 0, product.n} : Tile{0, product.m, begin, end};
    table.sgemm(product, tile, workspace.scratch(index));
  });
}

void multiply(const KernelTable& table, const MatrixProduct& product, size_t threads) { multiply(Workspace(table, threads), product); }

void multiply_blocks(const KernelTable& table, const MatrixProduct& first, size_t blocks, const BlockSteps& steps, size_t threads) {
  const Workspace workspace(table, threads);
  parallel(blocks, 1, workspace.threads(blocks * first.m * first.n * first.k), [&](size_t index, size_t begin, size_t end) {
    for (size_t block = begin; block < end; block++) {
      MatrixProduct product = first;
      product.a += block * steps.a;
      product.b += block * steps.b;
      product.out += block * steps.out;
      table.sgemm(product, {0, product.m, 0, product.n}, workspace.scratch(index));
    }
  });
}

}  // namespace tundish
