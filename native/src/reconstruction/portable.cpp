// The steps of learned weights for any CPU of the target.
#define TUNDISH_WIDTH 4
#include "make_table.h"

namespace tundish {

extern constinit const ReconstructionTable portable_reconstruction = make_table("portable");

}  // namespace tundish
