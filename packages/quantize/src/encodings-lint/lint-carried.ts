/** Holds encodings that were carried through a rewrite against those before it, by the map of what became what. */
import type { EncodingsDocument, EncodingsEntry, TensorEncoding } from '../encodings-formats/document.js';
import { headForm } from '../encodings-formats/head-form.js';
import { isSameEncoding } from '../encodings-formats/same-encoding.js';
import { type Breach, type Finding, namedFindings } from './finding.js';
import { encodingText } from './view.js';

/**
 * Rule `head-map`: one value that became one has its encoding; one that became several hands a per-tensor encoding to each,
 * and of scales of channels or blocks each has its slice along the output channels, in the order of the map. Values that
 * are not in the map keep name and encoding. What is not there afterwards is not looked at.
 *
 * @param renames old name to new names, the content of mha_to_sha_map.json
 */
export function lintCarried(before: EncodingsDocument, after: EncodingsDocument, renames: ReadonlyMap<string, readonly string[]>): readonly Finding[] {
  const found = new Map(after.entries.map((entry) => [entry.name, entry.encoding]));
  const breaches = before.entries.flatMap((entry) => {
    const names = renames.get(entry.name) ?? [entry.name];
    // A value that stays beside its copies is listed first and is no slice.
    const slices = names.filter((name) => name !== entry.name || names.length === 1);
    return names.flatMap((name): Breach[] => {
      const own = found.get(name);
      const expected = name === entry.name ? entry.encoding : sliceOf(entry, slices.indexOf(name), slices.length);
      if (own === undefined || (expected !== undefined && isSameEncoding(own, expected))) return [];
      return [{ tensor: name, severity: 'error', what: `is ${encodingText(own)}; it comes from ${entry.name}, which is ${encodingText(entry.encoding)}`, fix: 'carry the encoding by the map: equal for one value, its own rows for a head' }];
    });
  });
  return namedFindings('head-map', breaches);
}

/** Slice `index` of `count` along the output channels; undefined when they cannot be shared evenly. */
function sliceOf({ encoding }: EncodingsEntry, index: number, count: number): TensorEncoding | undefined {
  if (encoding.kind === 'per-tensor') return headForm(encoding, index);
  if (count === 1 || encoding.kind === 'float') return encoding;
  const cut = <T extends Float32Array | Float64Array | Uint8Array | Uint16Array>(values: T): T | undefined => {
    const width = values.length / count;
    return Number.isInteger(width) ? (values.slice(index * width, (index + 1) * width) as T) : undefined;
  };
  if (encoding.kind === 'lpbq') {
    const [channelScale, blockScale] = [cut(encoding.channelScale), cut(encoding.blockScale)];
    return channelScale === undefined || blockScale === undefined ? undefined : { ...encoding, channelScale, blockScale, layout: undefined };
  }
  const [scale, zeroPoint] = [cut(encoding.scale), cut(encoding.zeroPoint as Float64Array)];
  if (scale === undefined || zeroPoint === undefined) return undefined;
  return encoding.kind === 'per-channel' ? { ...encoding, scale, zeroPoint } : { ...encoding, scale, zeroPoint, layout: undefined };
}
