/** The names by which Genie finds its tensors; those of graphs are free for it, these are not. */

export const INPUT_IDS = 'input_ids';
export const ATTENTION_MASK = 'attention_mask';
export const ROPE_COS = 'position_ids_cos';
export const ROPE_SIN = 'position_ids_sin';
export const LOGITS = 'logits';
/** Names of the first input where an embedding table is looked up outside of the graphs. */
export const INPUT_EMBEDS: readonly string[] = ['input_embeds', 'inputs_embeds'];

/** Which cache tensor a name means. */
export interface CacheName {
  readonly kind: 'key' | 'value';
  readonly layer: number;
  readonly end: 'in' | 'out';
}

/** @returns undefined for names that are not `past_key_{i}_in`, `past_value_{i}_out`, ... */
export function cacheName(name: string): CacheName | undefined {
  const match = /^past_(key|value)_(0|[1-9]\d{0,5})_(in|out)$/.exec(name);
  return match === null ? undefined : { kind: match[1] as 'key' | 'value', layer: Number(match[2]), end: match[3] as 'in' | 'out' };
}

/** Genie takes every input with this in its name for a weight of an adapter, and no other. */
export function isLoraInput(name: string): boolean {
  return name.includes('lora');
}

/** A name as the compiler writes it: what is neither letter nor digit becomes an underscore. */
export function deviceName(name: string): string {
  return name.replaceAll(/[^A-Za-z0-9_]/g, '_');
}
