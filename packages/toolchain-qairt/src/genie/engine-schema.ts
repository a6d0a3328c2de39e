/** The schema of an engine in genie_config.json: backend, model, positions, adapters. */
import { z } from 'zod';

export const version = z.literal(1);
/** Most numbers that mean a size have no lower bound but 0, and some not even that: the lint asks for more. */
export const size = z.int().nonnegative();
const list = z.array(z.unknown());

const htp = z
  .strictObject({
    version, 'spill-fill-bufsize': size, 'use-mmap': z.boolean(), 'mmap-budget': size, poll: z.boolean(), 'cpu-mask': z.string(),
    'pos-id-dim': z.int().optional(), 'kv-dim': z.int().optional(), 'rope-theta': z.number().optional(), 'allow-async-init': z.boolean().optional(), 'enable-graph-switching': z.boolean().optional(),
    'kv-update-method': z.string().optional(), 'data-alignment-size': size.optional(), 'batch-size': size.optional(), 'shared-engine': z.boolean().optional(),
    'graph-switching-lora-policy': z.enum(['lazy', 'eager']).optional(), 'weight-shared-lora': z.boolean().optional(), 'skip-lora-validation': z.boolean().optional(),
  })
  .refine((data) => data['graph-switching-lora-policy'] === undefined || data['enable-graph-switching'] !== undefined, 'graph-switching-lora-policy needs enable-graph-switching')
  .refine((data) => data['graph-switching-lora-policy'] !== 'lazy' || data['enable-graph-switching'] === true, 'graph-switching-lora-policy lazy needs enable-graph-switching true');

const backend = z
  .strictObject({
    version, type: z.enum(['QnnHtp', 'QnnGenAiTransformer', 'QnnGpu']), QnnHtp: htp.optional(), QnnGenAiTransformer: z.looseObject({ version }).optional(),
    QnnGpu: z.looseObject({ version }).optional(), extensions: z.union([z.string(), z.array(z.string())]).optional(),
  })
  .refine((data) => data.type === 'QnnGpu' || data[data.type] !== undefined, 'the section of the type is missing')
  .refine((data) => (['QnnHtp', 'QnnGenAiTransformer', 'QnnGpu'] as const).every((section) => section === data.type || data[section] === undefined), 'it has the section of another type');

// The one object below dialog, with its scaling, that must not carry a version.
const positions = z.strictObject({
  type: z.enum(['rope', 'alibi', 'absolute']).optional(), 'rope-dim': z.int().optional(), 'rope-theta': z.number().optional(),
  'rope-scaling': z.strictObject({
    'rope-type': z.enum(['default', 'linear', 'llama3', 'longrope', 'qwen2vl-mrope', 'qwen3vl-mrope', 'proportional']).optional(), factor: z.number().optional(), 'low-freq-factor': z.number().optional(),
    'high-freq-factor': z.number().optional(), 'original-max-position-embeddings': z.number().optional(), 'short-factor': list.optional(), 'long-factor': list.optional(), 'mrope-section': list.optional(),
    'beta-fast': z.number().optional(), 'beta-slow': z.number().optional(), 'attn-factor': z.number().optional(), 'extrapolation-factor': z.number().optional(),
    'partial-rotary-factor': z.number().optional(), 'spatial-merge-size': z.number().optional(), 'time-step': z.number().optional(),
  }).optional(),
});

const texts = z.array(z.string());
const adapter = z.strictObject({ version, name: z.string(), path: z.string().optional(), 'bin-sections': texts.optional(), alphas: texts.optional() });
const lora = z
  .strictObject({
    version, 'lora-version': z.literal([1, 2, 3]).optional(), 'alpha-tensor-name': z.string().optional(), adapters: z.array(adapter),
    groups: z.array(z.strictObject({ version, name: z.string(), members: texts, 'quant-bin-sections': texts })).optional(),
  })
  .refine((data) => data['lora-version'] !== 1 || data.adapters.every(({ path }) => path !== undefined), 'adapters of lora-version 1 need path')
  .refine((data) => data['lora-version'] === 1 || data.adapters.every(({ path, 'bin-sections': sections }) => sections !== undefined && path === undefined), 'adapters of lora-version 2 (the default) and 3 have bin-sections and no path');

const model = z
  .strictObject({
    version, type: z.enum(['binary', 'library']), binary: z.strictObject({ version, 'ctx-bins': texts, lora: lora.optional() }).optional(),
    library: z.looseObject({ version, 'model-bin': z.string() }).optional(), 'positional-encoding': positions.optional(),
  })
  .refine((data) => data[data.type] !== undefined, 'the section of the type is missing')
  .refine((data) => data[data.type === 'binary' ? 'library' : 'binary'] === undefined, 'it has the section of the other type');

const longContext = z.strictObject({
  version, type: z.enum(['sliding-window', 'keydiff']), 'reserved-tokens': size.optional(),
  'sliding-window': z.looseObject({ version, 'window-size': size }).optional(), keydiff: z.looseObject({ version, 'scoring-network': z.string() }).optional(),
});

export const engine = z
  .strictObject({ version, 'n-threads': size, role: z.string().optional(), backend, model, longcontext: longContext.optional() })
  .refine((data) => data.model['positional-encoding'] === undefined || data.backend.QnnHtp?.['pos-id-dim'] === undefined, 'positional-encoding excludes pos-id-dim of QnnHtp')
  .refine((data) => data.model['positional-encoding'] === undefined || data.backend.QnnHtp?.['rope-theta'] === undefined, 'positional-encoding excludes rope-theta of QnnHtp');
