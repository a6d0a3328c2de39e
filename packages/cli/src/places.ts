/** Where a built model runs on this machine. */

/** host: ONNX Runtime; emulator: the vendor's kernels under our runner; genie: the same under the vendor's runtime. */
export const PLACES = ['host', 'emulator', 'genie'] as const;

export type Place = (typeof PLACES)[number];
