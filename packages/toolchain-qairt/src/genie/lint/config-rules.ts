/** Rules about genie_config.json, alone and against the graphs. */
import { GENIE_CONFIG_FILE } from '../bundle.js';
import { configIssues } from '../config-schema.js';
import { LOGITS, ROPE_COS } from '../tensor-names.js';
import type { BundleRule } from './rule.js';
import { input, output } from './view.js';

const IN_CONFIG = { evidence: { path: GENIE_CONFIG_FILE } };

const LISTS = ['short-factor', 'long-factor'];
/** What a type of `rope-scaling` must have. */
const SCALING_KEYS: ReadonlyMap<string, readonly string[]> = new Map([
  ['linear', ['factor']],
  ['llama3', ['factor', 'low-freq-factor', 'high-freq-factor', 'original-max-position-embeddings']],
  ['longrope', ['factor', ...LISTS, 'original-max-position-embeddings']],
]);

export const CONFIG_RULES: readonly BundleRule[] = [
  {
    code: 'GENIE_CONFIG_JSON',
    asks: 'genie_config.json is there and is JSON',
    genie: 'refuses it',
    *check({ config }) {
      if (config === undefined) yield { what: `${GENIE_CONFIG_FILE} is missing or is not JSON`, fix: 'write the configuration again', ...IN_CONFIG };
    },
  },
  {
    code: 'GENIE_CONFIG_SCHEMA',
    asks: 'it has the keys, types and values of the schema, and no others',
    genie: 'refuses it',
    *check({ config }) {
      if (config === undefined) return;
      for (const issue of configIssues(config)) yield { what: `${GENIE_CONFIG_FILE} breaks a rule of its schema: ${issue}`, ...IN_CONFIG };
    },
  },
  {
    code: 'GENIE_SAMPLER',
    asks: 'it has a sampler, which the schema does not ask for',
    genie: 'refuses it',
    *check({ config, values }) {
      if (config !== undefined && !values.hasSampler) yield { what: 'dialog.sampler is missing', why: 'the schema allows it, and no dialog can be created', fix: 'add a sampler, for example {"version": 1, "greedy": true}', ...IN_CONFIG };
    },
  },
  {
    code: 'GENIE_KV_DIM',
    asks: '`kv-dim` is the head size of the cache',
    genie: 'refuses it',
    *check({ config, values, graphs }) {
      const key = graphs.flatMap(({ cache }) => cache).find(({ kind, end }) => kind === 'key' && end === 'in');
      const headDim = key?.shape.at(-2);
      if (config === undefined || headDim === undefined || values.kvDim === headDim) return;
      const what = values.kvDim === undefined ? 'kv-dim is missing' : `kv-dim is ${values.kvDim}, the cache has heads of ${headDim}`;
      yield { what, why: 'without it no dialog is created; a wrong one is used without a word where it is needed', fix: `set kv-dim to ${headDim}`, ...IN_CONFIG };
    },
  },
  {
    code: 'GENIE_VOCABULARY',
    asks: '`n-vocab` is the last dimension of `logits`',
    genie: 'says nothing',
    *check({ values, graphs }) {
      const sizes = new Set(graphs.flatMap((graph) => output(graph, LOGITS)?.shape.at(-1) ?? []));
      for (const size of sizes) {
        if (values.vocabulary !== undefined && size !== values.vocabulary) yield { what: `n-vocab is ${values.vocabulary}, the graphs give ${size} logits`, why: 'rows of logits are cut at the wrong place', fix: `set n-vocab to ${size}`, ...IN_CONFIG };
      }
    },
  },
  {
    code: 'GENIE_TOKEN',
    asks: 'special tokens are below `n-vocab`',
    genie: 'not tried',
    *check({ values }) {
      for (const [key, id] of values.tokens) {
        if (values.vocabulary !== undefined && id >= values.vocabulary) yield { what: `${key} is ${id}, outside of the ${values.vocabulary} tokens`, ...IN_CONFIG };
      }
    },
  },
  {
    code: 'GENIE_CONTEXT_SIZE',
    asks: '`context.size` is at least 1 and at most the largest context length',
    genie: 'refuses it',
    *check({ values, graphs }) {
      const largest = Math.max(...graphs.map(({ cl }) => cl ?? 0));
      if (values.contextSize !== undefined && (values.contextSize < 1 || (largest > 0 && values.contextSize > largest))) yield { what: `context.size is ${values.contextSize}, the largest graph has ${largest} positions`, fix: `set size to 1 to ${largest}`, ...IN_CONFIG };
    },
  },
  {
    code: 'GENIE_ROPE_WIDTH',
    asks: '`rope-dim` or `pos-id-dim` (64 if neither is given) is the last dimension of cos and sin',
    genie: 'refuses it',
    *check({ config, values, graphs }) {
      const widths = new Set(graphs.flatMap((graph) => input(graph, ROPE_COS)?.shape.at(-1) ?? []));
      for (const width of widths) {
        if (config !== undefined && width !== values.ropePairs) yield { what: `the configuration has ${values.ropePairs} rotary pairs, the graphs take ${width}`, fix: `set rope-dim to ${width}`, ...IN_CONFIG };
      }
    },
  },
  {
    code: 'GENIE_ROPE_SCALING',
    asks: '`rope-scaling` has the values of its type, positive, and lists as long as `rope-dim`; the schema asks for none of them',
    genie: 'refuses it',
    *check({ values: { ropeScaling, ropePairs } }) {
      for (const key of SCALING_KEYS.get(String(ropeScaling?.['rope-type'])) ?? []) {
        const value = ropeScaling?.[key];
        const fits = LISTS.includes(key) ? Array.isArray(value) && value.length === ropePairs && value.every(isPositive) : isPositive(value);
        if (!fits) yield { what: `rope-scaling of type ${String(ropeScaling?.['rope-type'])} has ${value === undefined ? 'no' : 'an unusable'} ${key}`, why: LISTS.includes(key) ? `it is a list of ${ropePairs} positive numbers` : 'it is a positive number', fix: 'take it from config.json of the checkpoint', ...IN_CONFIG };
      }
    },
  },
];

function isPositive(value: unknown): boolean {
  return typeof value === 'number' && value > 0;
}
