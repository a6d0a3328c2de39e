/** A whole decoder-only language model: embedding, blocks, final norm and head, under the IO contract of adapted graphs. */
import { DataType, type Value } from '@tundish/graph';
import { type BlockShape, type BlockStream, decoderBlock } from './block.js';
import { projection } from './projection.js';
import { rmsNorm } from './rms-norm.js';
import { type Scope, emit, int, parameter, within } from './scope.js';

export interface DecoderShape {
  readonly layers: number;
  readonly vocab: number;
  readonly block: BlockShape;
  /** True when the head multiplies with the embedding table. */
  readonly tied: boolean;
}

/** The values between the modules, for whoever wants to look inside. */
export interface DecoderStream {
  /** Input of block 0, [1, AR, H]. */
  readonly embedding: Value;
  readonly blocks: readonly BlockStream[];
  /** Input of the head, [1, AR, H]. */
  readonly normalized: Value;
  readonly logits: Value;
}

const TABLE = 'model.embed_tokens.weight';

/**
 * Adds the model to `root.graph` (path ''), with the inputs and outputs of docs/formats/adapted-graph: ids, mask, cos,
 * sin, then keys and values by layer; logits first among the outputs.
 */
export function causalDecoder(root: Scope, shape: DecoderShape): DecoderStream {
  const { graph } = root;
  const { ar, cl, hidden, headDim } = shape.block.attention;
  const model = within(root, 'model');
  const ids = graph.addInput('input_ids', DataType.INT32, [1, ar]);
  const mask = graph.addInput('attention_mask', DataType.FLOAT, [1, 1, ar, cl]);
  const cos = graph.addInput('position_ids_cos', DataType.FLOAT, [1, 1, ar, headDim / 2]);
  const sin = graph.addInput('position_ids_sin', DataType.FLOAT, [1, 1, ar, headDim / 2]);

  const tokens = within(model, 'embed_tokens');
  const embedding = emit(tokens, 'Gather', [parameter(tokens, 'weight', [shape.vocab, hidden]), ids], { axis: int(0) });
  const blocks: BlockStream[] = [];
  let stream = embedding;
  for (let layer = 0; layer < shape.layers; layer++) {
    const block = decoderBlock(within(model, `layers.${layer}`), stream, { mask, cos, sin }, layer, shape.block);
    blocks.push(block);
    stream = block.output;
  }
  const normalized = rmsNorm(within(model, 'norm'), stream, hidden, shape.block.epsilon);
  const head = { inFeatures: hidden, outFeatures: shape.vocab, bias: false };
  const logits = projection(within(root, 'lm_head'), normalized, head, shape.tied ? TABLE : undefined, 'logits');
  graph.outputs.unshift(logits);
  return { embedding, blocks, normalized, logits };
}
