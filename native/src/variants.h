// The variants of the kernels that this machine can run.
#pragma once

#include <string>
#include <vector>

#include "kernels/table.h"

namespace tundish {

// Best first; never empty.
const std::vector<const KernelTable*>& variants();

// Null when the variant is unknown or this machine cannot run it.
const KernelTable* find_variant(const std::string& isa);

// Of the tables of further kernels the one that goes with a family of variants.
template <typename Table>
const Table& table_of(const std::string& family, const Table& portable, const Table& avx2, const Table& avx512) {
  return family == "avx512" ? avx512 : family == "avx2" ? avx2 : portable;
}

}  // namespace tundish
