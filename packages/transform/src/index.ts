/** Graph in, graph out: AR/CL conversion, split, MHA to SHA, folding of norm gains, rotations; and encodings carried along. */
export { findCollisions } from './arcl/collisions.js';
export { convertArCl } from './arcl/convert.js';
export type { GraphSize } from './arcl/io-contract.js';
export { carryEncodings, encodingsOfPart } from './encodings/carry-encodings.js';
export type { CarriedEncodings } from './encodings/carry-encodings.js';
export { foldNormGains } from './fold-norm-gains/fold-norm-gains.js';
export type { FoldResult } from './fold-norm-gains/fold-norm-gains.js';
export { mhaToSha } from './mha2sha/mha-to-sha.js';
export type { ShaResult } from './mha2sha/mha-to-sha.js';
export type { RenameMap } from './mha2sha/naming.js';
export { rotate } from './rotate/rotate.js';
export type { RotateResult, Rotations } from './rotate/rotate.js';
export { findLayers } from './split/find-layers.js';
export type { Layer } from './split/find-layers.js';
export { measureWeights } from './split/measure-weights.js';
export { planParts } from './split/plan-parts.js';
export type { LayerRange, PartWeights } from './split/plan-parts.js';
export { splitModel } from './split/split-model.js';
