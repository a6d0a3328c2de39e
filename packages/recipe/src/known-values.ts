/** The names and numbers that recipes and locks choose from; apart from the schema, so that nothing loads a schema library for them. */

/** Toolchains that a recipe can name. */
export const TOOLCHAINS = ['host', 'qairt'] as const;

/** How a host build computes: to the last bit, or as a Hexagon processor does. */
export const NUMERICS = ['exact', 'htp'] as const;

/** What a rotary embedding becomes for a Hexagon processor. */
export const ROTARY_FORMS = ['composed', 'operation'] as const;

/** What activations are on a device: codes of their grids, or half floats. */
export const PRECISIONS = ['codes', 'fp16'] as const;

/** Types of imported weights, named as in `torch_dtype`. */
export const IMPORT_DTYPES = ['float16', 'bfloat16', 'float32'] as const;

/** Stages behind which a stage of the user's own can stand. */
export const CUSTOM_AFTER = ['load', 'optimize', 'quantize', 'arcl', 'transform'] as const;

/** Whether a toolchain runs single-head operations better than whole attention layers. */
export const PREFERS_SINGLE_HEADS: Readonly<Record<(typeof TOOLCHAINS)[number], boolean>> = { host: false, qairt: true };

/** Clock and power policy of a Hexagon processor (`perf_profile`). */
export const PERFORMANCE_PROFILES = [
  'burst', 'sustained_high_performance', 'high_performance', 'balanced', 'low_balanced', 'high_power_saver', 'power_saver', 'low_power_saver', 'extreme_power_saver', 'default',
] as const;

export type PerformanceProfile = (typeof PERFORMANCE_PROFILES)[number];

/** Systems of devices: they decide which libraries run beside a bundle. */
export const DEVICE_SYSTEMS = ['android', 'linux', 'windows'] as const;

/** Context lengths of a recipe that names none, as far as the model's positions reach. */
export const DEFAULT_CL: readonly number[] = [512, 1024, 2048, 3072, 4096];

/** How quality is measured; what each means stands in docs/evaluation. */
export const EVALUATION_PROTOCOLS = ['mini', 'aimet-4096', 'aihub-4096', 'gptq-2048', 'llamacpp-512'] as const;

export type EvaluationProtocol = (typeof EVALUATION_PROTOCOLS)[number];

/** What a text file for calibration or evaluation holds. */
export const TEXT_FORMATS = ['text', 'jsonl', 'chat', 'tokens'] as const;

export type TextFormat = (typeof TEXT_FORMATS)[number];
