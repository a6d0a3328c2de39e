// The steps of a decoder block for x86-64 with AVX2 and FMA.
#define TUNDISH_WIDTH 8
#define TUNDISH_ATTENTION_ROWS 4
#include "make_table.h"

namespace tundish {

extern constinit const DecoderTable avx2_decoder = make_table("avx2");

}  // namespace tundish
