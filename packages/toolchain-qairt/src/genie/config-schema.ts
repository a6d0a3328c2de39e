/** Genie's own schema of genie_config.json as its answers show it: keys, types and enumerations; unknown keys are refused. */
import { printable } from '@tundish/diagnostics';
import { z } from 'zod';

const version = z.literal(1);
const count = z.int().positive();
const size = z.int().nonnegative();
const id = z.int();

const context = z.strictObject({
  version, size: count, 'n-vocab': count, 'bos-token': id,
  'eos-token': z.union([id, z.array(id)]).optional(), 'eot-token': id.optional(), 'pad-token': id.optional(), 'n-embd': count.optional(), 'draft-n-vocab': count.optional(),
});
const penalty = z.strictObject({ version, 'penalize-last-n': z.int(), 'repetition-penalty': z.number().optional(), 'presence-penalty': z.number().optional(), 'frequency-penalty': z.number().optional() });
const sampler = z
  .strictObject({
    version, seed: z.int().optional(), temp: z.number().optional(), 'top-k': z.int().optional(), 'top-p': z.number().optional(), greedy: z.boolean().optional(),
    type: z.string().optional(), 'callback-name': z.string().optional(), 'token-penalty': penalty.optional(),
  })
  .refine((data) => data.type !== 'custom' || data['callback-name'] !== undefined, 'type custom needs callback-name');
const embedding = z.strictObject({
  version, size: count, type: z.enum(['lut', 'callback']).optional(), 'lut-path': z.string().optional(),
  datatype: z.enum(['float32', 'native', 'ufixed8', 'ufixed16', 'sfixed8', 'sfixed16', 'ufixed4']).optional(),
  'quant-param': z.strictObject({ scale: z.number(), offset: z.number() }).optional(),
});

const htp = z.strictObject({
  version, 'spill-fill-bufsize': size, 'use-mmap': z.boolean(), 'mmap-budget': size, poll: z.boolean(), 'cpu-mask': z.string(),
  'pos-id-dim': count.optional(), 'kv-dim': count.optional(), 'rope-theta': z.number().optional(), 'allow-async-init': z.boolean().optional(), 'enable-graph-switching': z.boolean().optional(),
  'kv-update-method': z.string().optional(), 'data-alignment-size': size.optional(), 'batch-size': size.optional(), 'shared-engine': z.boolean().optional(),
  'graph-switching-lora-policy': z.enum(['lazy', 'eager']).optional(), 'weight-shared-lora': z.boolean().optional(), 'skip-lora-validation': z.boolean().optional(),
});
const backend = z
  .strictObject({ version, type: z.enum(['QnnHtp', 'QnnGenAiTransformer', 'QnnGpu']), QnnHtp: htp.optional(), QnnGenAiTransformer: z.looseObject({}).optional(), QnnGpu: z.looseObject({}).optional(), extensions: z.string().optional() })
  .refine((data) => data.type !== 'QnnHtp' || data.QnnHtp !== undefined, 'type QnnHtp needs the section QnnHtp');

const factors = z.array(z.number()).min(1);
const original = { 'original-max-position-embeddings': count };
const scaling = z.discriminatedUnion('rope-type', [
  z.strictObject({ 'rope-type': z.literal('default') }),
  z.strictObject({ 'rope-type': z.literal('linear'), factor: z.number() }),
  z.strictObject({ 'rope-type': z.literal('llama3'), factor: z.number(), 'low-freq-factor': z.number(), 'high-freq-factor': z.number(), ...original }),
  z.strictObject({ 'rope-type': z.literal('longrope'), factor: z.number().optional(), 'short-factor': factors, 'long-factor': factors, ...original }),
]);
// The one object below dialog, with its scaling, that must not carry a version.
const positions = z
  .strictObject({ type: z.enum(['rope', 'alibi', 'absolute']), 'rope-dim': count.optional(), 'rope-theta': z.number().optional(), 'rope-scaling': scaling.optional() })
  .refine((data) => factorLists(data['rope-scaling']).every((list) => list.length === data['rope-dim']), 'longrope factor lists must have the length rope-dim');

const adapter = z.strictObject({ version, name: z.string(), path: z.string().optional(), 'bin-sections': z.array(z.string()).optional(), alphas: z.array(z.unknown()).optional() });
const lora = z
  .strictObject({
    version, 'lora-version': z.literal([1, 2, 3]).optional(), 'alpha-tensor-name': z.string().optional(), adapters: z.array(adapter),
    groups: z.array(z.strictObject({ version: version.optional(), name: z.string(), members: z.array(z.string()), 'quant-bin-sections': z.array(z.string()) })).optional(),
  })
  .refine((data) => data['lora-version'] !== 1 || data.adapters.every((each) => each.path !== undefined), 'adapters of lora-version 1 need path')
  .refine((data) => data['lora-version'] === undefined || data['lora-version'] === 1 || data.adapters.every((each) => each['bin-sections'] !== undefined), 'adapters of lora-version 2 and 3 need bin-sections');
const model = z
  .strictObject({
    version, type: z.enum(['binary', 'library']), binary: z.strictObject({ version, 'ctx-bins': z.array(z.string()).min(1), lora: lora.optional() }).optional(),
    library: z.looseObject({}).optional(), 'positional-encoding': positions.optional(),
  })
  .refine((data) => data.type !== 'binary' || data.binary !== undefined, 'type binary needs the section binary');
const engine = z
  .strictObject({ version, 'n-threads': size, role: z.string().optional(), backend, model, longcontext: z.looseObject({ version }).optional() })
  .refine((data) => data.model['positional-encoding'] === undefined || data.backend.QnnHtp?.['pos-id-dim'] === undefined, 'positional-encoding excludes pos-id-dim of QnnHtp')
  .refine((data) => data.model['positional-encoding'] === undefined || data.backend.QnnHtp?.['rope-theta'] === undefined, 'positional-encoding excludes rope-theta of QnnHtp');

const ENGINE_LISTS = ['spd', 'eaglet', 'kv-share'];
const special = z.looseObject({}).optional();
const dialog = z
  .strictObject({
    version, type: z.enum(['basic', 'ssd-q1', 'spd', 'lade', 'eaglet', 'multistream', 'kv-share']), 'max-num-tokens': z.int().optional(), 'stop-sequence': z.array(z.string()).optional(),
    context, sampler: sampler.optional(), tokenizer: z.strictObject({ version, path: z.string() }), embedding: embedding.optional(), engine: z.union([engine, z.array(engine).min(2)]),
    'ssd-q1': special, spd: special, lade: special, eaglet: special, multistream: special, 'kv-share': special,
  })
  .refine((data) => ENGINE_LISTS.includes(data.type) === Array.isArray(data.engine), `types ${ENGINE_LISTS.join(', ')} need a list of engines, the others one engine`);

const genie = z.strictObject({ dialog });

/** What breaks the schema, one line each as `dialog.context.size: ...`; empty when the runtime would take it. */
export function configIssues(config: unknown): string[] {
  const parsed = genie.safeParse(config);
  if (parsed.success) return [];
  return parsed.error.issues.flatMap((issue) => describe(issue, []));
}

/** A union of one engine and a list says why the form that was given is wrong, not that both are. */
function describe(issue: z.core.$ZodIssue, above: readonly PropertyKey[]): string[] {
  const path = [...above, ...issue.path];
  if (issue.code === 'invalid_union') {
    const wrong = issue.errors.filter((list) => list.some(({ code, path: inner }) => code !== 'invalid_type' || inner.length > 0));
    const [nearest] = wrong;
    if (nearest !== undefined) return nearest.flatMap((inner) => describe(inner, path));
  }
  return [`${printable(path.join('.')) || '(top)'}: ${printable(issue.message)}`];
}

function factorLists(given: z.infer<typeof scaling> | undefined): readonly (readonly number[])[] {
  return given?.['rope-type'] === 'longrope' ? [given['short-factor'], given['long-factor']] : [];
}
