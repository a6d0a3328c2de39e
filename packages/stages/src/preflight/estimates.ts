/** What each stage will need of memory and disk, from shapes and options alone: upper estimates, which docs/commands.md calls declared. */
import { floatWindows } from '@tundish/recipe/calibration-windows';
import type { Lock, LockStages, StageName } from '@tundish/recipe/lock';
import { QUANTIZE_RECIPES, type Technique, needsInputs, needsReference } from '@tundish/recipe/technique';
import { planParts } from '@tundish/transform/plan-parts';
import { blockBytes } from './scheme-bytes.js';
import type { ModelShapes } from './shapes.js';

/** Bytes that one stage needs. */
export interface StageNeeds {
  /** Largest resident memory of its process and of those that it starts. */
  readonly memory: number;
  /** New content in the store. */
  readonly disk: number;
  /** What it writes beside that and removes again. */
  readonly scratch: number;
}

export interface Estimates {
  readonly stages: Readonly<Record<StageName, StageNeeds>>;
  /** Bytes of the weights of each compiled part, in the form of the toolchain, without packed copies. */
  readonly parts: readonly number[];
}

const MB = 1e6;
/** Node.js with the code of the stages, graphs and a tokenizer. */
const PROCESS = 200 * MB;
/** ONNX Runtime with a session open. */
const ENGINE = 60 * MB;
/** Weights are read in chunks of 4Mi elements: as stored, as float32, and their codes; some of each await collection. */
const CHUNKS = 8 * 4 * 4 * 1024 * 1024;
/** One ONNX graph of one decoder block, with operations for each head. */
const GRAPH_OF_BLOCK = 0.1 * MB;
/** Three processes with the vendor's libraries: a part, its twin, and the twin loaded again. 0.8 GB for graphs of 2 MB. */
const DEVICE_PROCESSES = 800 * MB;
/**
 * What the compiler holds of each graph of a part until all are written, for each byte of weights: 19.1 GB for ten graphs over an
 * embedding of 525 MB and a block, 6.0 GB for ten over four blocks of 30 MB.
 */
const DEVICE_COMPILER = { embedding: 3.5, block: 4.2, head: 4.2 };
/** The twin of a part, compiled and executed in two processes while the first graphs of the part are compiled, counts as the rest of these graphs. */
const DEVICE_GRAPHS = 4;
/** A binary of several graphs over the weights that they share. */
const DEVICE_BINARY = 1.15;
const FLOAT32 = 4;
/** Bytes of text that a scale takes in the record of its block and in two encodings files: an integer of a block, a number of a row or of a block. */
const SCALE_TEXT = { block: 9, row: 66 };
/** Values of one block that are alive at once while every one of them is looked at, in rows of the hidden size, of the MLP, and of the scores. */
const LIVE = { hidden: 12, intermediate: 4, scores: 5 };
/** Values of one block that an observer with a histogram takes out of the engine, in the same rows; in the engine, on their way, and here. */
const OBSERVED = { hidden: 16, intermediate: 4, scores: 2, copies: 3 };

/**
 * @param lock whose cells the model can have
 * @param readsCodes whether the toolchain multiplies codes where quantize wrote them: compile then neither packs nor writes them
 */
export function estimateNeeds(lock: Lock, shapes: ModelShapes, readsCodes: boolean): Estimates {
  const { quantize, compile } = lock.stages;
  const bytes = weightBytes(quantize.options, shapes);
  const count = Object.values(lock.parts)[0]?.parts ?? 1;
  const ranges = planParts(shapes.blocks.length, count, { embedding: bytes.embedding, layers: bytes.blocks, head: bytes.head });
  const inParts = ({ embedding, blocks, head }: WeightBytes): number[] =>
    ranges.map(({ from, to }, index) => sum(blocks.slice(from, to)) + (index === 0 ? embedding : 0) + (index === count - 1 ? head : 0));
  const parts = inParts(bytes);
  const compiled = inParts({ embedding: DEVICE_COMPILER.embedding * bytes.embedding, blocks: bytes.blocks.map((block) => DEVICE_COMPILER.block * block), head: DEVICE_COMPILER.head * bytes.head });
  const stays = readsCodes && quantize.options !== 'none' && quantize.options.activations !== 'none';
  const cells = lock.stages.arcl.options.ar.length * lock.stages.arcl.options.cl.length;
  const graphs = shapes.blocks.length * cells * GRAPH_OF_BLOCK;
  const light = (disk: number): StageNeeds => ({ memory: PROCESS, disk, scratch: 0 });
  return {
    parts,
    stages: {
      load: light(shapes.blocks.length * GRAPH_OF_BLOCK),
      optimize: light(shapes.blocks.length * GRAPH_OF_BLOCK),
      quantize: withRotation(quantizeNeeds(quantize.options, shapes, bytes), lock.stages, shapes),
      arcl: light(graphs),
      transform: light(graphs),
      convert: light(graphs),
      compile: compileNeeds(compile.options, parts, { graphs, stays, compiler: Math.max(cells, DEVICE_GRAPHS) * Math.max(...compiled) }),
      package: light(MB),
    },
  };
}

/** @param stays whether compile reads the codes where they lie @param compiler what the compiler of a device holds of one part */
function compileNeeds(options: LockStages['compile']['options'], parts: readonly number[], { graphs, stays, compiler }: { readonly graphs: number; readonly stays: boolean; readonly compiler: number }): StageNeeds {
  const largest = Math.max(...parts);
  if ('chips' in options) return { memory: PROCESS + DEVICE_PROCESSES + compiler, disk: options.chips.length * DEVICE_BINARY * sum(parts), scratch: 2 * DEVICE_BINARY * largest };
  // The engine maps the weights, packs copies of them, and writes both.
  const copies = stays ? 0 : options.prepack ? 2 : 1;
  return { memory: PROCESS + ENGINE + largest * (1 + copies), disk: sum(parts) * copies + graphs, scratch: largest * copies };
}

interface WeightBytes {
  readonly embedding: number;
  readonly blocks: readonly number[];
  readonly head: number;
}

/** Before a file made elsewhere is read: the smallest of its usual blocks. */
const LIKELY_SOURCE = { weights: { scheme: 'lpbq', bits: 4, blockSize: 16 }, lmHead: { bits: 8 } } as const;

/** Codes and block scales of the schemes; int8 for the head; 8 or 16 bits for the table. In floating point as in the checkpoint. */
function weightBytes(options: LockStages['quantize']['options'], { embedding, blocks, head, sourceBytes, config }: ModelShapes): WeightBytes {
  if (options === 'none') {
    const stored = embedding + sum(blocks) + head - (config.tieWordEmbeddings ? embedding : 0);
    const width = stored === 0 ? 0 : sourceBytes / stored;
    return { embedding: embedding * width, blocks: blocks.map((elements) => elements * width), head: head * width };
  }
  const projections = 'source' in options ? LIKELY_SOURCE : options;
  return { embedding: embedding * (options.embedding.bits / 8), blocks: blocks.map((elements, layer) => blockBytes(projections, layer, elements, config)), head: head * (projections.lmHead.bits / 8) };
}

function quantizeNeeds(options: LockStages['quantize']['options'], { config, blocks }: ModelShapes, bytes: WeightBytes): StageNeeds {
  if (options === 'none') return { memory: PROCESS, disk: blocks.length * GRAPH_OF_BLOCK, scratch: 0 };
  const segments = [bytes.embedding, ...bytes.blocks, bytes.head];
  const { hiddenSize, intermediateSize, numAttentionHeads, vocabSize } = config;
  const { weights } = 'source' in options ? LIKELY_SOURCE : options;
  const ofBlocks = weights.scheme === 'per_channel' ? 0 : (weights.scheme === 'lpbq' ? SCALE_TEXT.block : SCALE_TEXT.row) / weights.blockSize;
  const scales = sum(blocks) * (ofBlocks + SCALE_TEXT.row / hiddenSize) + vocabSize * SCALE_TEXT.row;
  const codes = sum(segments) + scales + blocks.length * GRAPH_OF_BLOCK;
  if (options.calibration === undefined) return { memory: PROCESS + CHUNKS, disk: codes, scratch: 0 };
  const { windows, windowLength } = options.calibration;
  const block = LIVE.hidden * hiddenSize + LIVE.intermediate * intermediateSize + LIVE.scores * numAttentionHeads * (windowLength + 1);
  // The head's logits and their quantized twin; a block's values. One window at a time.
  const activations = windowLength * FLOAT32 * Math.max(block, 2 * vocabSize);
  // What leaves the embedding and each block is kept for the block behind it.
  const stream = windows * windowLength * hiddenSize * FLOAT32;
  const observing = observingNeeds(options, config, 2 * Math.max(...segments));
  const solving = solvingNeeds('source' in options ? QUANTIZE_RECIPES.minmax : options.technique, windows, Math.max(...blocks), config);
  const kept = stream * (blocks.length + 1) * solving.streams;
  // Layers that are raised by data are measured in a pass of their own, whose blocks are kept too.
  const passes = 'mixedPrecision' in options && options.mixedPrecision !== undefined ? 2 : 1;
  return { memory: PROCESS + ENGINE + CHUNKS + Math.max(2 * Math.max(...segments) + activations + observing, solving.memory), disk: (codes + kept) * passes, scratch: stream * solving.scratch };
}

/** What observers with histograms and the choice of the cache's bits need besides: values of one window, and a second session. */
function observingNeeds({ activations, calibration, ...options }: Exclude<LockStages['quantize']['options'], 'none'>, { hiddenSize, intermediateSize, numAttentionHeads, vocabSize }: ModelShapes['config'], session: number): number {
  if (activations === 'none' || calibration === undefined) return 0;
  const { windowLength } = calibration;
  const block = OBSERVED.hidden * hiddenSize + OBSERVED.intermediate * intermediateSize + OBSERVED.scores * numAttentionHeads * (windowLength + 1);
  const values = activations.observer.method === 'minmax' ? 0 : OBSERVED.copies * windowLength * FLOAT32 * Math.max(block, vocabSize);
  return values + ('kvCache' in options && options.kvCache.bits === 'auto' ? session : 0);
}

/** Gram matrices of the widest inputs with their factor, a block in float32 twice; streams that lie on disk while a block is solved, at most: some wait in 8 bits. */
function solvingNeeds(technique: Technique, windows: number, block: number, { hiddenSize, intermediateSize }: ModelShapes['config']): { readonly memory: number; readonly streams: number; readonly scratch: number } {
  if (!needsInputs(technique)) return { memory: 0, streams: 1, scratch: 0 };
  const matrices = technique.rounding.method === 'gptaq' ? 8 : 4;
  const widest = Math.max(hiddenSize, intermediateSize);
  // Smoothed weights are there beside the checkpoint's.
  const copies = technique.smoothing.method === 'none' ? 3 : 4;
  // A refinement holds values, their gradient and the best of a block, with its parameters.
  const learned = { none: 0, signround: 5, adascale: 6 }[technique.refine.method];
  // Of the float model, the windows that it runs on.
  const beside = needsReference(technique) ? floatWindows(technique, windows).length / windows : 0;
  return { memory: FLOAT32 * (matrices * widest * widest + (copies + learned) * block), streams: 1 + beside, scratch: 2 + beside + widest / hiddenSize };
}

/** The largest matrix that R1 rotates along its outputs is there as a whole: as stored, widened, rotated, and one that awaits collection. */
function withRotation(needs: StageNeeds, { optimize, quantize }: LockStages, { config }: ModelShapes): StageNeeds {
  if (quantize.options === 'none' || optimize.options.rotate?.r1 !== true) return needs;
  return { ...needs, memory: needs.memory + 4 * FLOAT32 * config.hiddenSize * config.intermediateSize };
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
