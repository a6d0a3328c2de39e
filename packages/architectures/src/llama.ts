/** model_type `llama`: Llama 2, 3, 3.1, 3.2, SmolLM and everything else that is saved as LlamaForCausalLM. */
import type { Checkpoint, ModelConfig } from '@tundish/checkpoint';
import { silentReporter } from '@tundish/diagnostics';
import { Graph, type Model, inferShapes } from '@tundish/graph';
import { describeAdaptation } from './adaptation.js';
import type { AdaptOptions, Adapted, Architecture } from './architecture.js';
import { reportUnread, tensorSource } from './checkpoint-tensors.js';
import { type DecoderShape, causalDecoder } from './decoder/causal-decoder.js';
import { checkedSize } from './base-size.js';

const IR_VERSION = 11;
const OPSET = 23;

/** Shapes of the modules of transformers' modeling_llama.py at the given AR and CL. */
function decoderShape(config: ModelConfig, ar: number, cl: number): DecoderShape {
  const { hiddenSize: hidden, numAttentionHeads: heads, numKeyValueHeads: kvHeads, headDim } = config;
  return {
    layers: config.numHiddenLayers,
    vocab: config.vocabSize,
    tied: config.tieWordEmbeddings,
    block: {
      epsilon: config.rmsNormEps,
      attention: { hidden, heads, kvHeads, headDim, bias: config.attentionBias, ar, cl },
      mlp: { hidden, ffn: config.intermediateSize, bias: config.mlpBias },
    },
  };
}

function sizes(config: ModelConfig): readonly number[] {
  const { hiddenSize, intermediateSize, vocabSize, numAttentionHeads: heads, numKeyValueHeads: kvHeads, headDim } = config;
  return [hiddenSize, intermediateSize, vocabSize, heads, kvHeads, heads / kvHeads, headDim, headDim / 2, heads * headDim, kvHeads * headDim];
}

function adapt(checkpoint: Checkpoint, options: AdaptOptions): Adapted {
  const { config } = checkpoint;
  const base = checkedSize({ ar: options.baseAr, cl: options.baseCl });
  const used = new Set<string>();
  const graph = new Graph(config.modelType);
  const stream = causalDecoder({ graph, path: '', tensors: tensorSource(checkpoint, used) }, decoderShape(config, base.ar, base.cl));
  reportUnread(checkpoint, { used, layers: config.numHiddenLayers, tied: config.tieWordEmbeddings }, options.reporter ?? silentReporter);
  const model: Model = { irVersion: IR_VERSION, opsetImports: new Map([['', OPSET]]), producerName: 'tundish', metadata: new Map(), graph };
  inferShapes(model);
  return { model, adaptation: describeAdaptation(checkpoint, base, stream, used) };
}

export const llama: Architecture = { modelType: 'llama', sizes, adapt };
