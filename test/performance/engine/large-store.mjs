/** Makes a store of many entries in the form of real ones, for figures that must not grow with it. */
import { mkdirSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { canonicalJson, sha256 } from '@tundish/store';

const OPERATIONS = ['load', 'optimize', 'quantize', 'arcl', 'transform', 'convert', 'compile', 'package'];

/**
 * @param root cache root
 * @param model folder of the entries
 * @param count how many; each has an output of its own, and one that it shares with the seven others of its round
 */
export function fillStore(root, model, count) {
  for (let i = 0; i < count; i++) {
    const operation = OPERATIONS[i % OPERATIONS.length];
    const outputs = [put(root, `graph ${i}`, 'graph.onnx'), put(root, `weights ${Math.floor(i / OPERATIONS.length)}`, 'block-0.weights')];
    writeEntry(root, model, operation, outputs, i);
  }
}

function put(root, text, name) {
  const digest = sha256(text);
  const folder = join(root, 'blobs', 'sha256', digest.slice(0, 2));
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, digest), text);
  return { name, mediaType: 'application/octet-stream', sha256: digest, size: Buffer.byteLength(text) };
}

function writeEntry(root, model, operation, outputs, i) {
  const config = Object.fromEntries([['stage', JSON.stringify(operation)], ['options.subject', 'null'], ...Array.from({ length: 16 }, (_, n) => [`options.option-${n}`, String(i)])].sort());
  const key = sha256(canonicalJson(config));
  const folder = join(root, model, `${operation}_${key.slice(0, 32)}`);
  mkdirSync(folder, { recursive: true });
  const stage = `${canonicalJson({ schema: 1, stage: operation, subject: `other-${i}`, outputs, externals: [], facts: {} }, 2)}\n`;
  const sidecar = {
    operation, source: 'load', config, hash: key, created_at: '2026-01-02T03:04:05.000Z', tool: null, inputs: { load: sha256(`input ${i}`) },
    outputs: Object.fromEntries(outputs.map((output) => [output.name, output.sha256])), manifest: sha256(stage), wall_seconds: 1, cpu_seconds: 1, memory: { declared: 2e8, measured: 1e8, of: 'unit', limit: null },
  };
  writeFileSync(join(folder, 'stage.json'), stage);
  writeFileSync(join(folder, 'builder_cache_info.json'), `${JSON.stringify(sidecar, null, 2)}\n`);
  // Older than what a build makes now, younger than what gc removes.
  const yesterday = Date.now() / 1000 - 86_400 - i / 1000;
  utimesSync(join(folder, 'builder_cache_info.json'), yesterday, yesterday);
}
