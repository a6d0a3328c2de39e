// The steps of a decoder block for any CPU of the target.
#define TUNDISH_WIDTH 4
#define TUNDISH_ATTENTION_ROWS 4
#include "make_table.h"

namespace tundish {

extern constinit const DecoderTable portable_decoder = make_table("portable");

}  // namespace tundish
