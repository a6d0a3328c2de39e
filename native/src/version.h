// Version of the kernels' numerics and of the calls into the addon; ts/addon.ts carries the same text.
#pragma once

#define TUNDISH_KERNEL_VERSION "tundish-kernels-10"
