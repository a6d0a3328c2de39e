// The steps of a decoder block for x86-64 with AVX-512 F, BW, DQ and VL.
#define TUNDISH_WIDTH 16
#define TUNDISH_ATTENTION_ROWS 8
#include "make_table.h"

namespace tundish {

extern constinit const DecoderTable avx512_decoder = make_table("avx512");

}  // namespace tundish
