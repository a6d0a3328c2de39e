/** The values of genie_config.json that other files are held against, read from untrusted JSON. */

/** A value is undefined where the configuration lacks it or has another type there. */
export interface ConfigValues {
  readonly contextSize: number | undefined;
  readonly vocabulary: number | undefined;
  /** Special tokens by their key. */
  readonly tokens: ReadonlyMap<string, number>;
  readonly hasSampler: boolean;
  readonly hasEmbedding: boolean;
  readonly tokenizer: string | undefined;
  readonly contextBinaries: readonly string[];
  readonly extensions: string | undefined;
  readonly kvDim: number | undefined;
  /** cos and sin of one position; 64 where the configuration does not say. */
  readonly ropePairs: number;
  /** `rope-scaling`, whatever is in it. */
  readonly ropeScaling: Readonly<Record<string, unknown>> | undefined;
  /** Adapters whose weights are inputs. */
  readonly lora: { readonly alpha: string | undefined; readonly adapters: readonly { readonly name: string; readonly path: string }[] } | undefined;
}

/** `pos-id-dim` where it is not given. */
const DEFAULT_ROPE_PAIRS = 64;

export function readConfigValues(config: unknown): ConfigValues {
  const dialog = child(config, 'dialog');
  const context = child(dialog, 'context');
  const engine = engineOf(child(dialog, 'engine'));
  const backend = child(engine, 'backend');
  const htp = child(backend, 'QnnHtp');
  const model = child(engine, 'model');
  const binary = child(model, 'binary');
  const positions = child(model, 'positional-encoding');
  return {
    contextSize: number(context, 'size'),
    vocabulary: number(context, 'n-vocab'),
    tokens: specialTokens(context),
    hasSampler: child(dialog, 'sampler') !== undefined,
    hasEmbedding: child(dialog, 'embedding') !== undefined,
    tokenizer: path(child(dialog, 'tokenizer'), 'path'),
    contextBinaries: strings(child(binary, 'ctx-bins')).map(plainPath),
    extensions: path(backend, 'extensions'),
    kvDim: number(htp, 'kv-dim'),
    ropePairs: number(positions, 'rope-dim') ?? number(htp, 'pos-id-dim') ?? DEFAULT_ROPE_PAIRS,
    ropeScaling: objectOf(child(positions, 'rope-scaling')),
    lora: adaptersOf(child(binary, 'lora')),
  };
}

/** Of several engines the one whose logits are taken. */
function engineOf(engine: unknown): unknown {
  if (!Array.isArray(engine)) return engine;
  const engines = engine as unknown[];
  return engines.find((each) => child(each, 'role') === 'target') ?? engines[0];
}

function specialTokens(context: unknown): Map<string, number> {
  const tokens = new Map<string, number>();
  for (const key of ['bos-token', 'eos-token', 'eot-token', 'pad-token']) {
    const value = child(context, key);
    const ids: unknown[] = Array.isArray(value) ? value : [value];
    ids.forEach((id, index) => {
      if (typeof id === 'number') tokens.set(ids.length === 1 ? key : `${key}[${index}]`, id);
    });
  }
  return tokens;
}

function adaptersOf(lora: unknown): ConfigValues['lora'] {
  if (child(lora, 'lora-version') !== 1) return undefined;
  const list = child(lora, 'adapters');
  const adapters = (Array.isArray(list) ? (list as unknown[]) : []).flatMap((each) => {
    const [name, folder] = [child(each, 'name'), path(each, 'path')];
    return typeof name === 'string' && folder !== undefined ? [{ name, path: folder.replace(/\/$/, '') }] : [];
  });
  const alpha = child(lora, 'alpha-tensor-name');
  return { alpha: typeof alpha === 'string' ? alpha : undefined, adapters };
}

function objectOf(value: unknown): Record<string, unknown> | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : undefined;
}

function child(value: unknown, key: string): unknown {
  const object = objectOf(value);
  return object !== undefined && Object.hasOwn(object, key) ? object[key] : undefined;
}

function number(value: unknown, key: string): number | undefined {
  const found = child(value, key);
  return typeof found === 'number' ? found : undefined;
}

function path(value: unknown, key: string): string | undefined {
  const found = child(value, key);
  return typeof found === 'string' ? plainPath(found) : undefined;
}

function strings(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((each): each is string => typeof each === 'string') : [];
}

function plainPath(text: string): string {
  return text.replace(/^(\.\/)+/, '');
}
