/**
 * Genie's own schema of genie_config.json: keys, types, enumerations and what needs what; unknown keys are refused. As the validator of
 * Genie 1.21 (QAIRT 2.51) answers to some thousand configurations; test/fixtures/genie holds the answers.
 */
import { printable } from '@tundish/diagnostics';
import { z } from 'zod';
import { engine, size, version } from './engine-schema.js';

const id = z.int();

const context = z.strictObject({
  version, size, 'n-vocab': size, 'bos-token': id, 'eos-token': z.union([id, z.array(id).min(1)]),
  'eot-token': id.optional(), 'pad-token': id.optional(), 'n-embd': size.optional(), 'draft-n-vocab': size.optional(),
});

const penalty = z.strictObject({ version, 'penalize-last-n': size.optional(), 'repetition-penalty': z.number().optional(), 'presence-penalty': z.number().optional(), 'frequency-penalty': z.number().optional() });
const sampler = z
  .strictObject({
    version, type: z.enum(['basic', 'custom']).optional(), seed: z.int().optional(), temp: z.number().nonnegative().optional(), 'top-k': size.optional(), 'top-p': z.number().min(0).max(1).optional(),
    greedy: z.boolean().optional(), 'callback-name': z.string().optional(), 'token-penalty': penalty.optional(),
  })
  .refine((data) => (data.type === 'custom') === (data['callback-name'] !== undefined), 'callback-name goes with type custom')
  .refine((data) => data.type !== 'custom' || [data.seed, data.temp, data['top-k'], data['top-p'], data.greedy].every((value) => value === undefined), 'type custom excludes the settings of the basic sampler');

const embedding = z
  .strictObject({
    version, size, type: z.enum(['lut', 'callback']).optional(), 'lut-path': z.string().optional(),
    datatype: z.enum(['float32', 'native', 'ufixed8', 'ufixed16', 'sfixed8', 'sfixed16', 'ufixed4']).optional(), 'quant-param': z.strictObject({ scale: z.number(), offset: z.number() }).optional(),
  })
  .refine((data) => (data.type === 'lut') === (data['lut-path'] !== undefined), 'lut-path goes with type lut');

/** What belongs to one type of dialog each. */
const SECTIONS = {
  'ssd-q1': z
    .strictObject({ version, 'ssd-version': id, 'forecast-token-count': id, branches: z.array(id), 'forecast-prefix': id, 'forecast-prefix-name': z.string(), 'n-streams': id.optional(), 'p-threshold': z.number().optional() })
    .refine((data) => data['p-threshold'] === undefined || data['n-streams'] !== undefined, 'p-threshold needs n-streams'),
  spd: z.looseObject({ version, 'draft-len': id }),
  lade: z.strictObject({ version, 'update-mode': z.enum(['ALWAYS_FWD_ONE', 'FWD_MAX_HIT', 'FWD_LEVEL']).optional(), window: id.optional(), ngram: id.optional(), gcap: id.optional() }),
  eaglet: z.looseObject({ version, 'eaglet-version': id, 'draft-len': id, 'n-branches': id, 'max-tokens-target-can-evaluate': id, 'draft-kv-cache': z.unknown() }),
  multistream: z.strictObject({ version, 'n-streams': id, 'p-threshold': z.number().optional() }),
  'kv-share': z.strictObject({}),
} as const;
const NEED_SECTION = ['ssd-q1', 'spd', 'eaglet', 'multistream'];

/** Types of dialog in which two engines work together, with their roles. */
const ROLES: ReadonlyMap<string, readonly string[]> = new Map([['spd', ['target', 'draft']], ['eaglet', ['target', 'draft']], ['kv-share', ['primary', 'secondary']]]);

const dialog = z
  .strictObject({
    version, type: z.enum(['basic', 'ssd-q1', 'spd', 'lade', 'eaglet', 'multistream', 'kv-share']), 'max-num-tokens': size.optional(), 'stop-sequence': z.array(z.string()).optional(),
    context, sampler: sampler.optional(), tokenizer: z.strictObject({ version, path: z.string() }), embedding: embedding.optional(), engine: z.union([engine, z.array(engine).length(2)]),
    ...Object.fromEntries(Object.entries(SECTIONS).map(([name, section]) => [name, section.optional()])),
  })
  .superRefine((data, check) => {
    const roles = ROLES.get(data.type);
    const say = (message: string): void => check.addIssue({ code: 'custom', message });
    for (const section of Object.keys(SECTIONS)) if (section !== data.type && Object.hasOwn(data, section)) say(`the section ${section} goes with the type ${section}`);
    if (NEED_SECTION.includes(data.type) && !Object.hasOwn(data, data.type)) say(`type ${data.type} needs a section of its name`);
    const engines = Array.isArray(data.engine) ? data.engine : [data.engine];
    if ((engines.length === 2) !== (roles !== undefined)) say(`types ${[...ROLES.keys()].join(', ')} need a list of two engines, the others one engine`);
    if (engines.some(({ role }) => (roles === undefined ? role !== undefined : role === undefined || !roles.includes(role)))) say(roles === undefined ? 'one engine alone has no role' : `engines of type ${data.type} have the roles ${roles.join(' and ')}`);
  });

const genie = z.strictObject({ dialog });

/** What breaks the schema, one line each as `dialog.context.size: ...`; empty when the runtime takes it. */
export function configIssues(config: unknown): string[] {
  const parsed = genie.safeParse(config);
  if (parsed.success) return [];
  return parsed.error.issues.flatMap((issue) => describe(issue, []));
}

/** A union of one engine and a list says why the form that was given is wrong, not that both are. */
function describe(issue: z.core.$ZodIssue, above: readonly PropertyKey[]): string[] {
  const path = [...above, ...issue.path];
  if (issue.code === 'invalid_union') {
    const nearest = issue.errors.find((list) => list.some(({ code, path: inner }) => code !== 'invalid_type' || inner.length > 0));
    if (nearest !== undefined) return nearest.flatMap((inner) => describe(inner, path));
  }
  return [`${printable(path.join('.')) || '(top)'}: ${printable(issue.message)}`];
}
