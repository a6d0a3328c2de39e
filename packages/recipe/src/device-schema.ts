/** Options of `compile` and `package`: those of the host, and those of the vendor's toolchain, which mean nothing to the other. */
import { z } from 'zod';
import { DEVICE_SYSTEMS, PERFORMANCE_PROFILES } from './known-values.js';

const NAMES = z.string().min(1).max(100);

export const chipset = z
  .union([NAMES, z.array(NAMES).min(1).max(8)])
  .describe('The chip that `toolchain: qairt` compiles for, by any of its names: `sm8750`, `snapdragon-8-elite`, `SA8775P`, `X Elite`. Of a list each chip gets a container, from one quantization. See [chips](genie-bundle.md#chips).');

export const compileOptions = z
  .strictObject({
    prepack: z.boolean().optional().describe('`host`: store weights that `MatMulNBits` reads in the layout of the processor too: opens at once, takes more space. Products of codes need none. Default: true.'),
    optimizationLevel: z.literal([1, 2, 3]).optional().describe('`qairt`: effort of the compiler. Default: 3.'),
    vtcmMb: z.int().min(1).max(64).optional().describe('`qairt`: MiB of the processor\'s own memory that a graph may use. Default: all that the chip has.'),
    hvxThreads: z.int().min(1).max(16).optional().describe('`qairt`: vector threads of a graph. Default: the compiler\'s choice.'),
    dlbc: z.boolean().optional().describe('`qairt`: compress activations on their way to memory, without loss. Default: false.'),
    weightSharing: z.boolean().optional().describe('`qairt`: the graphs of a part share their weights in one binary. Default: true where the chip can (v73 and later).'),
  })
  .describe('Compilation of a part.');

export const packageOptions = z
  .strictObject({
    profile: z.enum(PERFORMANCE_PROFILES).optional().describe('`qairt`: clock and power policy of the processor. Default: `burst`.'),
    domain: z.enum(['unsigned', 'signed']).optional().describe('`qairt`: protection domain; signed ones need libraries that the vendor signed for the device. Default: `unsigned`.'),
    system: z.enum(DEVICE_SYSTEMS).optional().describe('`qairt`: what the device runs, which decides the libraries beside the bundle. Default: what devices with the chip usually run.'),
    folder: z.string().min(2).max(200).optional().describe('`qairt`: absolute folder on the device that `push.sh` fills. Default: `/data/local/tmp/MODEL` on Android, `/opt/MODEL` elsewhere.'),
    spillFillMb: z.int().min(0).max(4096).optional().describe('`qairt`: MiB for what does not fit into the processor\'s memory; 0 leaves the size to the runtime. Default: 0.'),
    stopSequences: z.array(z.string().min(1)).min(1).max(32).optional().describe('`qairt`: texts before which an answer ends, in `genie_config.json`. Default: none.'),
  })
  .describe('The container; for `qairt` it is a Genie bundle too.');

export type CompileRecipe = z.infer<typeof compileOptions>;
export type PackageRecipe = z.infer<typeof packageOptions>;
