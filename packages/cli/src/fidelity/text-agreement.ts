/** Opens device, simulation, checkpoint and partly quantized simulations of a built model, and compares their logits over its text. */
import type { Protocol } from '@tundish/evaluate';
import type { Encodings, PerTensorEncoding } from '@tundish/graph';
import { openContainer } from '@tundish/runtime';
import type { Pipeline } from '@tundish/stages';
import type { Reporter } from '@tundish/diagnostics';
import type { Precision } from '@tundish/toolchain-qairt';
import { lastGraphStage } from '../evaluated-stages.js';
import { type OpenedSource, type SourceOptions, checkpointSource, engineSource, stageSource } from '../logit-sources.js';
import { toolchainNamed } from '../toolchains.js';
import { type Agreement, measureAgreement } from './agreement.js';
import { ComparedOutputs } from './compared-outputs.js';

export interface TextRequest {
  readonly pipeline: Pipeline;
  /** Container folders of one model. */
  readonly containers: { readonly device: string; readonly simulation: string };
  /** Of activations. */
  readonly precision: Precision;
  readonly protocol: Protocol;
  readonly windows: readonly Int32Array[];
  readonly options: SourceOptions;
  readonly reporter: Reporter;
}

/** @throws EVALUATE_*, and what opening containers throws */
export async function textAgreement({ pipeline, containers, precision, protocol, windows, options, reporter }: TextRequest): Promise<Agreement> {
  const tokens = Math.max(...windows.map(({ length }) => length)) - 1;
  const outputs = new ComparedOutputs();
  const opened: OpenedSource[] = [];
  const kept = async (source: Promise<OpenedSource>): Promise<OpenedSource> => {
    opened.push(await source);
    return opened.at(-1) as OpenedSource;
  };
  const container = async (side: 'device' | 'simulation'): Promise<OpenedSource> => {
    const session = await openContainer(containers[side], { toolchain: (name) => outputs.listen(side, toolchainNamed(name)), threads: options.threads });
    return engineSource(session.engine, () => session.close());
  };
  try {
    const [device, simulation] = [await kept(container('device')), await kept(container('simulation'))];
    const checkpoint = await kept(checkpointSource(pipeline, tokens, options));
    const partial = new Map<string, OpenedSource>();
    // Where only weights are quantized the simulation is all that there is.
    for (const [name, replaced] of Object.entries(precision === 'fp16' ? {} : PARTIAL)) {
      partial.set(name, await kept(stageSource(pipeline, lastGraphStage(pipeline.lock), tokens, { ...options, replaced })));
    }
    const onWindow = (done: number, total: number): void => reporter.progress({ work: 'evaluate', label: 'windows', done, total });
    onWindow(0, windows.length);
    const agreement = await measureAgreement({ device, simulation, checkpoint, partial, protocol, windows, signal: options.signal, onWindow });
    return { ...agreement, caches: outputs.rows() };
  } finally {
    for (const source of opened) await source.close();
  }
}

/** What is quantized, and the encodings that say it. */
const PARTIAL: Readonly<Record<string, (encodings: Encodings) => Encodings>> = {
  'weights': ({ parameters }) => ({ activations: new Map(), parameters }),
  'weights and activations, cache in 16 bits': ({ activations, parameters }) => ({ activations: new Map([...activations].map(([name, encoding]) => [name, fine(encoding)])), parameters }),
};

/** Codes of 8 symmetric bits are the cache: the same range in 256 times the steps. */
function fine(encoding: PerTensorEncoding): PerTensorEncoding {
  if (encoding.dtype !== 'uint8' || !encoding.symmetric) return encoding;
  const { headScales, ...whole } = encoding;
  return { ...whole, dtype: 'uint16', scale: Math.fround(encoding.scale / 256), zeroPoint: encoding.zeroPoint * 256, ...(headScales === undefined ? {} : { headScales: headScales.map((scale) => Math.fround(scale / 256)) }) };
}
