/** Holds a recipe against its toolchain and its chips: options of the other toolchain, and what no compiler for them does. */
import { printable } from '@tundish/diagnostics';
import type { TundishError } from '@tundish/diagnostics';
import { type Chip, chipLimits } from './chips/chip.js';
import { chipByName } from './chips/find-chip.js';
import { recipeError } from './errors.js';
import type { KeyPath } from './key-position.js';
import type { Recipe } from './schema.js';
import type { YamlDocument } from './yaml-document.js';

const HOST_ONLY: readonly KeyPath[] = [['compile', 'prepack'], ['convert', 'numerics']];
const DEVICE_ONLY: readonly KeyPath[] = [
  ['chipset'], ['convert', 'precision'], ...['optimizationLevel', 'vtcmMb', 'hvxThreads', 'dlbc', 'weightSharing'].map((key) => ['compile', key]),
  ...['profile', 'domain', 'system', 'folder', 'spillFillMb', 'stopSequences'].map((key) => ['package', key]),
];

/** @throws RECIPE_DEVICE, RECIPE_CHIP_UNKNOWN with line and column */
export function checkDevice(recipe: Recipe, document: YamlDocument, path: string): void {
  const isDevice = recipe.toolchain === 'qairt';
  const foreign = (isDevice ? HOST_ONLY : DEVICE_ONLY).find((key) => isWritten(document, key));
  if (foreign !== undefined) throw refusal(document, path, foreign, `${foreign.map(String).join('.')} has no meaning with toolchain: ${recipe.toolchain}`, `it is an option of ${isDevice ? 'host' : 'qairt'}`, `remove ${String(foreign.at(-1))}, or build with toolchain: ${isDevice ? 'host' : 'qairt'}`);
  if (recipe.convert.numerics === 'htp') checkNumerics(recipe, document, path);
  else if (!isDevice && recipe.convert.rotaryEmbedding === 'operation') throw refusal(document, path, ['convert', 'rotaryEmbedding'], 'convert.rotaryEmbedding: operation has no meaning with numerics: exact', 'the host computes a rotation as a whole and rounds as its separate operations do', 'remove rotaryEmbedding, or add numerics: htp');
  if (!isDevice) return;
  if (recipe.chipset === undefined) throw refusal(document, path, ['toolchain'], 'toolchain: qairt needs a chipset', 'the compiler works for one chip', 'add chipset: sm8750, or the chip that you have');
  const chips = chipsOf(recipe, document, path);
  const twice = chips.findIndex((chip, i) => chips.indexOf(chip) !== i);
  if (twice >= 0) throw refusal(document, path, ['chipset', twice], `chipset names ${chips[twice]?.name} twice`, 'two names of one chip give one container', 'remove one of them');
  checkValues(recipe, document, path);
  for (const chip of chips) checkChip(recipe, chip, document, path);
}

/** The chips of a recipe for a device, in its order. @throws RECIPE_CHIP_UNKNOWN */
export function chipsOf({ chipset }: Recipe, document: Pick<YamlDocument, 'locate'>, path: string): Chip[] {
  if (chipset === undefined) return [];
  if (typeof chipset === 'string') return [chipByName(chipset, { path, ...document.locate(['chipset']) })];
  return chipset.map((name, i) => chipByName(name, { path, ...document.locate(['chipset', i]) }));
}

/** What the composer cannot make for any chip. */
function checkValues({ quantize, transform, convert }: Recipe, document: YamlDocument, path: string): void {
  const refuse = (key: KeyPath, what: string, why: string, fix: string): TundishError => refusal(document, path, key, what, why, fix);
  if (transform.mha2sha === false) throw refuse(['transform', 'mha2sha'], 'transform.mha2sha: false cannot be compiled by qairt', 'its products do not broadcast over heads', 'remove mha2sha');
  if (quantize === 'none') throw refuse(['quantize'], 'quantize: none cannot be compiled by qairt', 'the processor multiplies with codes of weights', 'remove it, or build with toolchain: host');
  if (convert.precision === 'fp16' && convert.rotaryEmbedding === 'operation') throw refuse(['convert', 'rotaryEmbedding'], 'convert.rotaryEmbedding: operation cannot be compiled with precision: fp16', 'that operation is proven on codes alone', 'remove rotaryEmbedding, or precision');
  if (convert.precision === 'fp16') return checkHalf(quantize, refuse);
  if (quantize.activations === 'none') throw refuse(['quantize', 'activations'], 'activations: none cannot be compiled by qairt as it stands', 'the processor computes on codes of activations too, unless it is told to compute with half floats', 'write convert: { precision: fp16 }, or remove activations: none');
  if (quantize.kvCache.granularity === 'head') throw refuse(['quantize', 'kvCache', 'granularity'], 'granularity: head cannot be compiled by qairt', 'a tensor of activations has one scale there', 'remove granularity');
}

type Refuse = (key: KeyPath, what: string, why: string, fix: string) => TundishError;

/** Half floats times codes of weights: with a scale a channel, and nothing else is quantized. */
function checkHalf({ activations, weights, overrides, source }: Exclude<Recipe['quantize'], 'none'>, refuse: Refuse): void {
  if (activations !== 'none') throw refuse(['convert', 'precision'], 'convert.precision: fp16 has no meaning with quantized activations', 'half floats have no codes, and need no calibration', 'write quantize: { activations: none, weights: { scheme: per_channel, bits: 4 } }, or remove precision');
  // Schemes of weights that were made elsewhere stand in their file: convert looks at them.
  if (source !== undefined) return;
  const schemes: readonly (readonly [key: KeyPath, scheme: string])[] = [[['quantize', 'weights', 'scheme'], weights.scheme], ...overrides.map(({ scheme }, i) => [['quantize', 'overrides', i, 'scheme'], scheme] as const)];
  const [key, scheme] = schemes.find(([, each]) => each !== 'per_channel') ?? [];
  if (key !== undefined) throw refuse(key, `convert.precision: fp16 cannot be compiled with weights of scheme: ${scheme ?? ''}`, 'the compiler multiplies half floats only with weights that have one scale a channel', 'write scheme: per_channel, or remove precision');
}

/** What no device computes has no numerics of a device. */
function checkNumerics({ quantize, transform }: Recipe, document: YamlDocument, path: string): void {
  const refuse = (key: KeyPath, given: string, why: string): TundishError => refusal(document, path, key, `convert.numerics: htp has no meaning with ${given}`, why, `remove numerics, or ${String(key.at(-1))}`);
  if (quantize === 'none') throw refuse(['quantize'], 'quantize: none', 'the processor computes on codes');
  if (quantize.activations === 'none') throw refuse(['quantize', 'activations'], 'activations: none', 'the processor computes on codes of activations too');
  if (quantize.kvCache.granularity === 'head') throw refuse(['quantize', 'kvCache', 'granularity'], 'granularity: head', 'a tensor of activations has one scale there');
  if (transform.mha2sha === false) throw refuse(['transform', 'mha2sha'], 'transform.mha2sha: false', 'its compiler gets each head by itself');
}

function checkChip({ quantize, compile }: Recipe, chip: Chip, document: YamlDocument, path: string): void {
  const limits = chipLimits(chip);
  const version = `${chip.name} is Hexagon v${chip.hexagon}`;
  const refuse = (key: KeyPath, what: string, why: string, fix: string): TundishError => refusal(document, path, key, what, why, fix);
  if (!limits.matMul16By16) throw refuse(['chipset'], `${chip.name} cannot run these graphs`, `${version}; activations of 16 bits need v73 or later`, 'name a newer chip');
  if (quantize !== 'none' && quantize.weights.scheme === 'lpbq' && !limits.lpbq) throw refuse(['chipset'], `${chip.name} cannot run weights of scheme: lpbq`, version, 'take scheme: per_channel');
  if (compile.weightSharing === true && !limits.weightSharing) throw refuse(['compile', 'weightSharing'], `${chip.name} cannot share weights between graphs`, version, 'remove weightSharing');
  if (compile.vtcmMb !== undefined && compile.vtcmMb > chip.vtcmMb) throw refuse(['compile', 'vtcmMb'], `compile.vtcmMb is ${compile.vtcmMb}, ${chip.name} has ${chip.vtcmMb} MiB`, 'the compiler takes any number, and the device then refuses the binary', `write vtcmMb: ${chip.vtcmMb} or less`);
}

function isWritten({ value }: YamlDocument, key: KeyPath): boolean {
  let at: unknown = value;
  for (const step of key) {
    if (typeof at !== 'object' || at === null || !(step in at)) return false;
    at = (at as Record<PropertyKey, unknown>)[step];
  }
  return true;
}

function refusal(document: YamlDocument, path: string, key: KeyPath, what: string, why: string, fix: string): TundishError {
  return recipeError('RECIPE_DEVICE', { what: printable(what, 200), why, evidence: { path, ...document.locate(key) }, fix });
}
