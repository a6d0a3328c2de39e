/** What enters the key of a unit; known without loading its stage, so that a hit is cheap. */
import type { LockStages, StageName } from '@tundish/recipe/lock';
import { type ActionInputs, type JsonValue, type ToolIdentity, manifestDigest } from '@tundish/store';
import type { ToolchainIdentity } from '@tundish/toolchain';
import type { CodeDigests } from './code/code-digests.js';
import { kernelDigest } from './code/stage-code.js';
import { isBuiltIn } from './plan.js';
import type { Adapters, StageInput, StageRequest } from './stage.js';

/** Files of the checkpoint that a container carries as they are. */
export const CARRIED_FILES: readonly string[] = ['config.json', 'generation_config.json', 'tokenizer.json', 'tokenizer_config.json', 'special_tokens_map.json', 'chat_template.jinja'];

const READS_SOURCE: Readonly<Partial<Record<StageName, (file: string) => boolean>>> = {
  load: (file) => file !== 'chat_template.jinja' && file !== 'special_tokens_map.json',
  quantize: (file) => file.startsWith('tokenizer') || file === 'special_tokens_map.json',
  package: (file) => CARRIED_FILES.includes(file),
};

/** Whether the stage reads this file of the checkpoint itself; weights it reaches through `load` are not meant. */
function readsSource(stage: string, file: string): boolean {
  return READS_SOURCE[stage as StageName]?.(file) ?? false;
}

/** What the keys of a model's units have in common. */
export interface KeyContext {
  readonly adapters: Adapters;
  readonly code: CodeDigests;
  /** Where the code of the unit's stage begins. */
  readonly modules: readonly URL[];
}

/** Everything that decides the result of a unit. @throws STAGE_CODE */
export async function keyInputs(stage: string, request: StageRequest<unknown>, { adapters, code, modules }: KeyContext): Promise<ActionInputs> {
  const { options, subject, toolchain, inputs } = request;
  const profile = stage === 'compile' ? await operatorProfile(toolchain, code) : await numericProfile(stage, adapters, options, code);
  const digest = await code.digest(modules);
  return {
    stage,
    code: digest,
    // Options of a custom stage may have any name, also this one.
    options: isBuiltIn(stage) ? { ...(typeof options === 'object' ? withoutPlaces(options ?? {}) : { value: options }), subject } : { given: options as JsonValue, subject },
    ...(toolchain === undefined ? {} : { tool: toolOf(stage, toolchain) }),
    upstream: { ...upstreamDigests(inputs), ...sourceDigests(stage, request) },
    ...(profile === undefined ? {} : { profile }),
  };
}

/** What of the toolchain the bytes of a stage depend on: lowering knows the operators, and nothing else of the machine. */
function toolOf(stage: string, { name, version, machine, operators }: ToolchainIdentity): ToolIdentity {
  return { name, version, ...(stage === 'compile' ? { machine } : {}), ...(operators === '' ? {} : { operators }) };
}

type Named = Readonly<Record<string, unknown>>;

/** A file counts by the digest that stands beside its path: where it lies changes nothing. */
function withoutPlaces(options: object): object {
  const { calibration, source } = options as { readonly calibration?: Named; readonly source?: Readonly<Record<string, Named>> };
  return {
    ...options,
    ...(calibration === undefined ? {} : { calibration: without(calibration, 'text') }),
    // A file has its path beside its digest; names have none.
    ...(source === undefined ? {} : { source: Object.fromEntries(Object.entries(source).map(([key, value]) => [key, key === 'names' ? value : without(value, 'path')])) }),
  };
}

function without(named: Named, name: string): Named {
  return Object.fromEntries(Object.entries(named).filter(([other]) => other !== name));
}

export function upstreamDigests(inputs: ReadonlyMap<string, StageInput>): Record<string, string> {
  return Object.fromEntries([...inputs].map(([name, { manifest }]) => [name, manifestDigest(manifest)]));
}

/** Digests of the checkpoint's files that the stage reads itself. */
function sourceDigests(stage: string, { source }: StageRequest<unknown>): Record<string, string> {
  return Object.fromEntries([...source].filter(([name]) => readsSource(stage, name)).map(([name, { sha256 }]) => [`source/${name}`, sha256]));
}

/** The library that the toolchain's own operators are in, which runs while a part is compiled. */
async function operatorProfile(toolchain: ToolchainIdentity | undefined, code: CodeDigests): Promise<string | undefined> {
  return toolchain === undefined || toolchain.operators === '' ? undefined : kernelDigest(code);
}

/** What computes, for the one stage whose bytes depend on it: the kernels as they were built, the engine, the instruction set. */
async function numericProfile(stage: string, adapters: Adapters, options: unknown, code: CodeDigests): Promise<string | undefined> {
  if (stage !== 'quantize' || (options as LockStages['quantize']['options']) === 'none') return undefined;
  const { loadKernels } = await import('@tundish/native');
  const { version, machine } = await adapters.reference().identity();
  const kernels = loadKernels().identity();
  const addon = kernels.implementation === 'native' ? ` ${await kernelDigest(code)}` : '';
  return `${kernels.version}${addon}; ${version}; ${machine}`;
}
