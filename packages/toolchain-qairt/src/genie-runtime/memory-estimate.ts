/** What Genie's log says of the memory that each graph needs on the device. */
import type { QnnLogLine } from '@tundish/native/qnn';

/** The vendor's own estimate. */
export interface GraphMemoryEstimate {
  readonly graph: string;
  /** MiB of the protection domain. */
  readonly totalMib: number;
  /** Weights that no other graph shares. */
  readonly weightBytes: number;
  /** Inputs and outputs. */
  readonly ioBytes: number;
  readonly runListBytes: number;
  readonly spillFillBytes: number;
}

const LINE = /graph (\S+) estimated PD size ~([\d.]+)MB, including nonSharedWeight (\d+) B I\/O (\d+) B runlist (\d+) B spillfill (\d+) B/;

/** In the order of the log; a build that words the line otherwise gives none. */
export function memoryEstimates(log: readonly QnnLogLine[]): GraphMemoryEstimate[] {
  return log.flatMap(({ text }) => {
    const match = LINE.exec(text);
    if (match === null) return [];
    const [totalMib, weightBytes, ioBytes, runListBytes, spillFillBytes] = match.slice(2).map(Number) as [number, number, number, number, number];
    return [{ graph: match[1] as string, totalMib, weightBytes, ioBytes, runListBytes, spillFillBytes }];
  });
}
