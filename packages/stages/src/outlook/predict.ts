/** What a unit will cost: from its last run, from a run of the same stage, or from the size of the checkpoint. */
import type { Lock } from '@tundish/recipe/lock';
import type { StageManifest } from '@tundish/store';
import type { Unit } from '../plan.js';
import type { LastEntries, LastEntry } from './last-entries.js';

export interface Prediction {
  readonly seconds: number;
  /** Bytes of new files; what is handed on from an earlier unit counts nothing. */
  readonly bytes: number;
  readonly peakRssBytes: number;
  /** Where the figures are from; those of `checkpoint size` are good for an order of magnitude. */
  readonly basis: 'last run' | 'another run of the stage' | 'checkpoint size';
}

export class Predictor {
  readonly #makers = new Map<string, string>();

  constructor(private readonly lock: Lock, private readonly last: LastEntries) {}

  /** What a unit gave or gives. In the order of the stages: the first one that has a file made it. */
  add({ stage, outputs }: StageManifest): void {
    for (const { sha256 } of outputs) if (!this.#makers.has(sha256)) this.#makers.set(sha256, stage);
  }

  /** @param own an entry of the unit: the last one, or that which its key has */
  predict(unit: Unit, own: LastEntry | undefined): Prediction {
    if (own !== undefined) return { ...this.#measured(own), basis: 'last run' };
    const other = this.last.ofStage(unit.stage);
    return other === undefined ? estimated(this.lock, unit) : { ...this.#measured(other), basis: 'another run of the stage' };
  }

  #measured({ sidecar, manifest: { stage, outputs } }: LastEntry): Omit<Prediction, 'basis'> {
    return {
      seconds: sidecar.wall_seconds,
      bytes: outputs.reduce((sum, { sha256, size }) => ((this.#makers.get(sha256) ?? stage) === stage ? sum + size : sum), 0),
      peakRssBytes: sidecar.memory.measured,
    };
  }
}

/** Of a process that has loaded the code of a stage. */
const BASE_RSS = 250e6;
/** Graphs: a few hundred kilobytes a decoder block in a model of 1B. */
const GRAPH_BYTES = 1e6;
/** Two cores with AVX-512: seconds for a byte of 16-bit weights, and floating-point operations a second of calibration. */
const QUANTIZE_SECONDS_PER_BYTE = 12e-9;
const COMPILE_SECONDS_PER_BYTE = 8e-9;
const CALIBRATION_FLOPS = 1e11;
/** Codes of 4 or 8 bits, block scales and 16-bit embeddings against 16-bit weights. */
const QUANTIZED_SHARE = { 4: 0.35, 8: 0.6 };

function estimated(lock: Lock, { stage }: Unit): Prediction {
  const weights = Object.entries(lock.source.files).reduce((sum, [name, { size }]) => (name.endsWith('.safetensors') ? sum + size : sum), 0);
  const parts = Object.values(lock.parts)[0]?.parts ?? 1;
  const { options } = lock.stages.quantize;
  const quantized = options === 'none' ? weights : weights * QUANTIZED_SHARE['source' in options ? 4 : options.weights.bits];
  const basis = 'checkpoint size';
  switch (stage) {
    case 'quantize':
      if (options === 'none') break;
      return { seconds: 1 + weights * QUANTIZE_SECONDS_PER_BYTE + calibrationSeconds(lock, weights), bytes: quantized, peakRssBytes: BASE_RSS + quantized, basis };
    case 'compile':
      return { seconds: 1 + (quantized / parts) * COMPILE_SECONDS_PER_BYTE, bytes: quantized / parts, peakRssBytes: BASE_RSS + quantized / parts, basis };
    default:
      break;
  }
  return { seconds: 1, bytes: GRAPH_BYTES, peakRssBytes: BASE_RSS, basis };
}

/** Every token passes once, or twice where a pass measures layers first: two operations a weight. */
function calibrationSeconds({ stages }: Lock, weightBytes: number): number {
  const { options } = stages.quantize;
  if (options === 'none' || options.calibration === undefined) return 0;
  const { windows, windowLength } = options.calibration;
  const passes = 'mixedPrecision' in options && options.mixedPrecision !== undefined ? 2 : 1;
  return (passes * windows * windowLength * weightBytes) / CALIBRATION_FLOPS;
}
