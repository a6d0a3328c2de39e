/** The builds of the vendor's libraries that are supported and tested, and the wheels that hold them. */

export interface SupportedBuild {
  /** Version of the wheel `onnxruntime-qnn`. */
  readonly wheel: string;
  /** Begin of the build id: `v2.51.`. */
  readonly release: string;
}

/** Newest first; the first is installed when nobody says which. */
export const SUPPORTED_BUILDS: readonly [SupportedBuild, ...SupportedBuild[]] = [
  { wheel: '2.7.0', release: '2.51' },
  { wheel: '2.5.0', release: '2.49' },
  { wheel: '2.3.0', release: '2.47' },
];

/** `2.51` of `v2.51.0.260929181845`; undefined for a build that is not supported. */
export function releaseOf(buildId: string): string | undefined {
  return SUPPORTED_BUILDS.find(({ release }) => buildId.startsWith(`v${release}.`))?.release;
}
