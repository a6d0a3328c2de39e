/** How far the logits of simulation, device and checkpoint are apart over text, and where the loss of the model sits. */
import { type LogitSource, type Metrics, type Pair, type Protocol, evaluatePairs, protocolHash } from '@tundish/evaluate';
import type { CacheDistance } from './compared-outputs.js';

/** Sources of logits over the same vocabulary. */
export interface AgreementSources {
  /** In floating point. */
  readonly checkpoint: LogitSource;
  readonly simulation: LogitSource;
  /** The emulator of the vendor's libraries. */
  readonly device: LogitSource;
  /** The simulation with parts of the quantization left out, by what is left, the least first. */
  readonly partial: ReadonlyMap<string, LogitSource>;
}

/** Of divergence from the one to the other, nats. */
export interface Divergence {
  readonly mean: number;
  readonly p99: number;
  readonly max: number;
  /** Share of positions at which both put the same token first. */
  readonly top1: number;
}

export interface Agreement {
  readonly protocol: string;
  readonly protocolHash: string;
  readonly positions: number;
  readonly perplexity: { readonly checkpoint: number; readonly simulation: number; readonly device: number };
  readonly deviceToSimulation: Divergence;
  readonly checkpointToDevice: Divergence;
  readonly checkpointToSimulation: Divergence;
  /** From the checkpoint to the simulation with a part of the quantization, the least first. */
  readonly loss: readonly (Divergence & { readonly quantized: string; readonly perplexity: number })[];
  /** Codes of the cache, simulation against device, by layer. */
  readonly caches: readonly CacheDistance[];
}

export interface AgreementRequest extends AgreementSources {
  readonly protocol: Protocol;
  readonly windows: readonly Int32Array[];
  readonly signal: AbortSignal;
  readonly onWindow: (done: number, total: number) => void;
}

/** @throws EVALUATE_* */
export async function measureAgreement({ checkpoint, simulation, device, partial, ...measured }: AgreementRequest): Promise<Omit<Agreement, 'caches'>> {
  const pairs: Pair[] = [
    { subject: 'simulation', teacher: device, student: simulation },
    { subject: 'device', teacher: checkpoint, student: device },
    { subject: 'simulation', teacher: checkpoint, student: simulation },
    ...[...partial].map(([subject, student]) => ({ subject, teacher: checkpoint, student })),
  ];
  const [between, onDevice, simulated, ...loss] = (await evaluatePairs({ ...measured, pairs })) as [Metrics, Metrics, Metrics, ...Metrics[]];
  return {
    protocol: measured.protocol.name, protocolHash: protocolHash(measured.protocol), positions: between.positions,
    perplexity: { checkpoint: onDevice.teacherPerplexity, simulation: simulated.perplexity, device: onDevice.perplexity },
    deviceToSimulation: divergence(between), checkpointToDevice: divergence(onDevice), checkpointToSimulation: divergence(simulated),
    loss: loss.map((metrics, i) => ({ quantized: [...partial.keys()][i] as string, ...divergence(metrics), perplexity: metrics.perplexity })),
  };
}

function divergence({ kl, top1Agreement }: Metrics): Divergence {
  return { mean: kl.mean, p99: kl.p99, max: kl.max, top1: top1Agreement };
}

/** Measured on three models: 0.4 to 2.2 % of the loss, 0.01 to 0.11 % of the perplexity; changes without a cause move results by the floor. */
export const AGREEMENT_GATES = { shareOfLoss: 0.02, floor: 0.0001, perplexity: 0.003 } as const;

export function agreementFindings({ deviceToSimulation, checkpointToDevice, perplexity }: Agreement): string[] {
  const { shareOfLoss, floor, perplexity: share } = AGREEMENT_GATES;
  const allowed = Math.max(floor, shareOfLoss * checkpointToDevice.mean);
  const off = Math.abs(perplexity.simulation / perplexity.device - 1);
  return [
    ...(deviceToSimulation.mean <= allowed ? [] : [`logits: the divergence from the device to the simulation is ${deviceToSimulation.mean.toExponential(2)} nats, ${allowed.toExponential(2)} are allowed`]),
    ...(off <= share ? [] : [`logits: the perplexity of the simulation is ${(100 * off).toFixed(2)} % off, ${100 * share} % are allowed`]),
  ];
}
