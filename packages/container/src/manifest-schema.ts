/** The schema of manifest.json and the rules that hold between its fields. */
import { printable } from '@tundish/diagnostics';
import { z } from 'zod';
import { MANIFEST_SCHEMA, containerGraphName } from './manifest.js';
import type { Manifest } from './manifest.js';

const count = z.int().positive();
const tokenId = z.int().nonnegative();
const digest = z.string().regex(/^[0-9a-f]{64}$/, 'must be 64 lower-case hexadecimal digits');
const ascending = z.array(count).min(1).refine((values) => values.every((v, i) => i === 0 || v > (values[i - 1] ?? v)), 'must be ascending');
// A container comes from somebody else's machine: a path in it must not lead out of it.
const relativePath = z.string().refine((path) => isInside(path), 'must be a relative path inside the container, with forward slashes');

const tensor = z.strictObject({
  name: z.string().min(1),
  dtype: z.enum(['float32', 'float16', 'uint8', 'uint16', 'int32']),
  shape: z.array(count),
  quantization: z.strictObject({ scale: z.number().positive(), zeroPoint: z.int().nonnegative(), headScales: z.array(z.number().positive()).min(2).exactOptional(), rounding: z.literal('down').exactOptional() }).exactOptional(),
});
const graph = z.strictObject({
  name: z.string(),
  cell: z.strictObject({ ar: count, cl: count, part: count, parts: count }),
  inputs: z.array(tensor).min(1),
  outputs: z.array(tensor).min(1),
});
const part = z.strictObject({
  part: count,
  files: z.array(z.strictObject({ name: z.string().min(1), path: relativePath })).min(1),
  graphs: z.array(graph).min(1),
});

const manifest = z.strictObject({
  schema: z.literal(MANIFEST_SCHEMA),
  model: z.string().min(1),
  toolchain: z.strictObject({ name: z.string().min(1), version: z.string(), machine: z.string(), operators: z.string().default('') }),
  architecture: z.strictObject({
    modelType: z.string(), hiddenSize: count, layers: count, heads: count, kvHeads: count, headDim: count, feedForwardSize: count,
  }),
  vocabularySize: count,
  contextLengths: ascending,
  ars: ascending,
  parts: z.array(part).min(1),
  rope: z.strictObject({ inverseFrequencies: z.array(z.number()).min(1), attentionScaling: z.number().positive() }),
  maskValue: z.number().negative(),
  tokens: z.strictObject({ bos: tokenId.nullable(), eos: z.array(tokenId), pad: tokenId.nullable() }),
  generation: z.strictObject({
    maxTokens: count, temperature: z.number().nonnegative(), topK: z.int().nonnegative(),
    topP: z.number().positive().max(1), repetitionPenalty: z.number().positive(),
  }),
  provenance: z.record(z.string(), digest),
  files: z.record(relativePath, z.strictObject({ sha256: digest, size: z.int().nonnegative() })),
});

/** A broken rule: where in the manifest, and what is wrong. */
export interface ManifestIssue {
  readonly at: string;
  readonly message: string;
}

/** Checks untrusted data against the schema and the rules between fields. Keys of the result are in the order of the schema. */
export function parseManifest(data: unknown): { readonly manifest: Manifest } | { readonly issues: readonly ManifestIssue[] } {
  const parsed = manifest.safeParse(data);
  if (!parsed.success) {
    return { issues: parsed.error.issues.map((issue) => ({ at: printable(issue.path.join('.')) || '(top)', message: printable(issue.message) })) };
  }
  const issues = [...gridIssues(parsed.data), ...fileIssues(parsed.data), ...tokenIssues(parsed.data)];
  return issues.length > 0 ? { issues } : { manifest: parsed.data };
}

function isInside(path: string): boolean {
  if (path === '' || path.includes('\\') || path.includes('\0')) return false;
  return path.split('/').every((step) => step !== '' && step !== '.' && step !== '..') && !/^[A-Za-z]:/.test(path);
}

/** Parts are 1..n in order, and each holds one graph for every AR and CL of the lists, under the right name. */
function* gridIssues(data: Manifest): Generator<ManifestIssue> {
  const pairs = data.ars.flatMap((ar) => data.contextLengths.map((cl) => ({ ar, cl })));
  for (const { ar, cl } of pairs) {
    if (ar >= cl) yield { at: 'ars', message: `AR ${ar} is not below context length ${cl}` };
  }
  for (const [index, item] of data.parts.entries()) {
    const at = `parts.${index}`;
    if (item.part !== index + 1) yield { at, message: `is part ${item.part} where part ${index + 1} belongs` };
    const expected = new Set(pairs.map((pair) => containerGraphName({ ...pair, part: index + 1, parts: data.parts.length })));
    for (const graph of item.graphs) {
      const name = printable(graph.name);
      if (graph.name !== containerGraphName(graph.cell)) yield { at, message: `graph "${name}" is not named after its cell` };
      if (!expected.delete(graph.name)) yield { at, message: `graph "${name}" is a duplicate or outside the plan of AR and CL` };
    }
    for (const name of expected) yield { at, message: `graph ${name} is missing` };
  }
}

function* fileIssues(data: Manifest): Generator<ManifestIssue> {
  for (const [index, item] of data.parts.entries()) {
    for (const file of item.files) {
      if (!Object.hasOwn(data.files, file.path)) yield { at: `parts.${index}.files`, message: `"${printable(file.path)}" is not in the file table` };
    }
  }
}

function* tokenIssues(data: Manifest): Generator<ManifestIssue> {
  const { bos, eos, pad } = data.tokens;
  for (const id of [bos, pad, ...eos]) {
    if (id !== null && id >= data.vocabularySize) yield { at: 'tokens', message: `id ${id} is outside the vocabulary of ${data.vocabularySize}` };
  }
}
