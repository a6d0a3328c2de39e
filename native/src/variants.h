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

}  // namespace tundish
