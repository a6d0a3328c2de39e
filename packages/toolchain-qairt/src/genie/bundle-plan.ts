/** Everything that a bundle is written from, as plain data. */
import type { GenieEngine, GenieFacts } from '@tundish/container';
import type { PerformanceProfile } from '@tundish/recipe';
import type { Chip, DeviceSystem } from '@tundish/recipe/chips';
import type { BundleGraph } from './bundle.js';

/** How the parts were compiled. */
export interface CompileSettings {
  /** MiB of the processor's memory that a graph may use; at most what the chip has. */
  readonly vtcmMb: number;
  /** Effort of the compiler. */
  readonly optimization: 1 | 2 | 3;
  /** Compresses activations on their way to memory. */
  readonly dlbc: boolean;
  /** Vector threads of a graph; undefined leaves it to the compiler. */
  readonly hvxThreads?: number;
  readonly weightSharing: boolean;
}

/** How the bundle runs on the device. */
export interface DeviceSettings {
  readonly profile: PerformanceProfile;
  /** Protection domain: signed ones need libraries that the vendor signed for the device. */
  readonly domain: 'unsigned' | 'signed';
  readonly engine: GenieEngine;
  /** Decides which libraries are pushed; default: what the chip's devices usually run. */
  readonly system: DeviceSystem;
  /** Absolute folder that push.sh fills; Windows has no push.sh. */
  readonly folder: string;
}

/** One part: a context binary with its graphs. */
export interface BundlePart {
  /** Path in the bundle: letters, digits, `.`, `_`, `-` and forward slashes. */
  readonly file: string;
  readonly graphs: readonly BundleGraph[];
}

export interface BundlePlan {
  readonly model: string;
  /** `w4a16`, ... */
  readonly precision: string;
  readonly chip: Chip;
  /** In the order of execution; AR and CL are what the masks of their graphs say. */
  readonly parts: readonly BundlePart[];
  /** What the checkpoint says, in the words of genie_config.json. */
  readonly checkpoint: Pick<GenieFacts, 'vocabularySize' | 'headDim' | 'tokens' | 'rope'>;
  readonly generation: GenieFacts['generation'];
  readonly seed: number;
  /** Text before which an answer ends; not empty. */
  readonly stopSequences: readonly string[];
  /** Path of tokenizer.json in the bundle. */
  readonly tokenizer: string;
  /** Other files of the checkpoint that go along, by path. */
  readonly carried: readonly string[];
  /** Version by tool, with the build id of the compiler's libraries. */
  readonly toolVersions: Readonly<Record<string, string>>;
  readonly compile: CompileSettings;
  readonly device: DeviceSettings;
}

