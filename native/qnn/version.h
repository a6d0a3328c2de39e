// Version of the calls into tundish-qnn.node; ts/qnn/addon.ts carries the same text.
#pragma once

#define TUNDISH_QNN_VERSION "tundish-qnn-2"
