/** Rules about the encodings of LoRA adapters that share one base model and its buffers. */
import type { EncodingsDocument, EncodingsEntry } from '../encodings-formats/document.js';
import { isSameEncoding } from '../encodings-formats/same-encoding.js';
import { type Breach, type Finding, namedFindings } from './finding.js';
import { encodingText } from './view.js';

/** The encodings that one adapter brings, of the whole graph. */
export interface AdapterEncodings {
  readonly name: string;
  readonly encodings: EncodingsDocument;
}

const ADAPTER_BITS = 16;
const isAdapterWeight = ({ name, role }: EncodingsEntry): boolean => role === 'parameter' && /lora/i.test(name);
const isBaseWeight = (entry: EncodingsEntry): boolean => entry.role === 'parameter' && !isAdapterWeight(entry);

/**
 * `adapter-activations`: all adapters name the same activations. `adapter-base-weights`: weights of the base have one
 * encoding in all, or they could not be shared. `adapter-weights`: 16 bits, one scale a tensor, and not the same in every
 * adapter. `adapter-alpha`: the scale of the adapter has an encoding.
 *
 * @param alpha names of the graph inputs that scale an adapter
 */
export function lintAdapters(adapters: readonly AdapterEncodings[], alpha: readonly string[]): readonly Finding[] {
  return [
    ...namedFindings('adapter-activations', activationNames(adapters)),
    ...namedFindings('adapter-base-weights', baseWeights(adapters)),
    ...namedFindings('adapter-weights', adapterWeights(adapters)),
    ...namedFindings('adapter-alpha', missingAlpha(adapters, alpha)),
  ];
}

function namesOf({ encodings }: AdapterEncodings, keep: (entry: EncodingsEntry) => boolean): ReadonlySet<string> {
  return new Set(encodings.entries.filter(keep).map(({ name }) => name));
}

function* activationNames([first, ...others]: readonly AdapterEncodings[]): Generator<Breach> {
  if (first === undefined) return;
  const isActivation = ({ role }: EncodingsEntry): boolean => role !== 'parameter';
  const known = namesOf(first, isActivation);
  for (const adapter of others) {
    const own = namesOf(adapter, isActivation);
    const [lacking, extra] = [[...known].find((name) => !own.has(name)), [...own].find((name) => !known.has(name))];
    const tensor = lacking ?? extra;
    if (tensor !== undefined) yield { tensor, severity: 'error', what: `is an activation of ${lacking === undefined ? adapter.name : first.name} and not of ${lacking === undefined ? first.name : adapter.name}`, fix: 'calibrate all adapters on one graph' };
  }
}

function* baseWeights([first, ...others]: readonly AdapterEncodings[]): Generator<Breach> {
  const known = new Map(first?.encodings.entries.filter(isBaseWeight).map(({ name, encoding }) => [name, encoding]));
  for (const adapter of others) {
    const own = new Map(adapter.encodings.entries.filter(isBaseWeight).map(({ name, encoding }) => [name, encoding]));
    for (const tensor of new Set([...known.keys(), ...own.keys()])) {
      const [a, b] = [known.get(tensor), own.get(tensor)];
      if (a === undefined || b === undefined || !isSameEncoding(a, b)) yield { tensor, severity: 'error', what: `has another encoding in ${adapter.name} than in ${first?.name}`, fix: 'freeze the encodings of the base before adapters are calibrated' };
    }
  }
}

function* adapterWeights(adapters: readonly AdapterEncodings[]): Generator<Breach> {
  const weights = adapters.map(({ encodings }) => encodings.entries.filter(isAdapterWeight));
  for (const [i, entries] of weights.entries()) {
    for (const { name, encoding } of entries) {
      if (encoding.kind !== 'per-tensor' || encoding.grid.bits !== ADAPTER_BITS) yield { tensor: name, severity: 'error', what: `is ${encodingText(encoding)} in ${adapters[i]?.name}, not ${ADAPTER_BITS} bits with one scale`, fix: `quantize weights of adapters per tensor with ${ADAPTER_BITS} bits` };
    }
  }
  const [first = [], ...others] = weights;
  const same = others.some((entries) => entries.length > 0 && entries.every(({ name, encoding }) => first.some((entry) => entry.name === name && isSameEncoding(entry.encoding, encoding))));
  if (same) yield { tensor: first[0]?.name ?? '', severity: 'warning', what: 'and all other weights have the same encodings in two adapters', fix: 'check that the weights of both were loaded' };
}

function* missingAlpha(adapters: readonly AdapterEncodings[], alpha: readonly string[]): Generator<Breach> {
  for (const { name, encodings } of adapters) {
    for (const tensor of alpha) if (!encodings.entries.some((entry) => entry.name === tensor)) yield { tensor, severity: 'error', what: `has no encoding in ${name}`, fix: 'give it a fixed range that holds every strength of the adapter' };
  }
}
