/** Rules about the cache, the products of attention and the softmax between them. */
import { type Node, type Value, constantValues } from '@tundish/graph';
import { maskedScores } from '../calibration/activations.js';
import { MASK_MARGIN } from '../calibration/encoding-rules.js';
import type { TensorEncoding, TensorForm } from '../encodings-formats/document.js';
import { headForm } from '../encodings-formats/head-form.js';
import { isSameEncoding } from '../encodings-formats/same-encoding.js';
import { cacheBuffer, cacheHead, isCacheValue } from './cache-names.js';
import type { Breach, LintRule } from './finding.js';
import { encodingText, isSymmetric, realRange } from './view.js';

/** One step of the scores changes a probability by this factor's exponent: 6 %. Masks of -1e4 reach 0.15. */
const LARGEST_SCORE_STEP = 1 / 16;
/** What the floor of scales adds to a grid of 16 bits when all values of a tensor are nearly equal. */
const FLOOR_WIDENING = 65535 * 2 ** -23;
/** A grid that is wider than needed by this factor has lost 12 dB. */
const WIDEST_SCORES = 4;

/** 8 bits symmetric as accelerators multiply and keep the cache; 16 bits are slower, float16 belongs to float-scale blocks. */
function operandBreach(tensor: string, encoding: TensorEncoding): Breach | undefined {
  const fix = 'make it symmetric with 8 bits: offset -128';
  if (encoding.kind === 'float') return encoding.bits === 16 ? undefined : { tensor, severity: 'error', what: `is ${encodingText(encoding)}`, fix };
  if (encoding.kind !== 'per-tensor' || !isSymmetric(encoding) || ![8, 16].includes(encoding.grid.bits)) return { tensor, severity: 'error', what: `is ${encodingText(encoding)}, not symmetric with 8 bits`, fix };
  return encoding.grid.bits === 8 ? undefined : { tensor, severity: 'warning', what: 'has 16 bits: twice the memory and a slower product', fix };
}

export const secondOperand: LintRule = {
  name: 'second-operand',
  asks: 'the second input of a MatMul of two activations is symmetric with 8 bits, or float16',
  host: 'codes of any grid of 8 or 16 bits are multiplied',
  *check({ graph, activations }) {
    const constant = constantValues(graph);
    for (const node of graph.nodes.filter(({ opType }) => opType === 'MatMul')) {
      const [left, right] = [node.input(0), node.input(1)];
      const encoding = activations.get(right.name);
      const breach = constant.has(left) || constant.has(right) || encoding === undefined ? undefined : operandBreach(right.name, encoding);
      if (breach !== undefined) yield { ...breach, what: `is the second input of ${node.name} and ${breach.what}` };
    }
  },
};

export const cacheForm: LintRule = {
  name: 'cache-form',
  asks: 'the cache is symmetric with 8 bits, or float16',
  host: 'its codes are kept as uint8 around 128, or as uint16 around 32768',
  *check({ activations }) {
    for (const [name, encoding] of activations) {
      const breach = isCacheValue(name) ? operandBreach(name, encoding) : undefined;
      if (breach !== undefined) yield breach;
    }
  },
};

export const cacheTied: LintRule = {
  name: 'cache-tied',
  asks: 'every value of one cache, entering and leaving, has one encoding; heads with scales of their own have theirs on both sides',
  host: 'the same: what leaves a pass enters the next one as codes',
  *check({ activations }) {
    const first = new Map<string, readonly [string, TensorEncoding]>();
    for (const [name, encoding] of activations) {
      const buffer = cacheBuffer(name);
      if (buffer === undefined) continue;
      const [other, known] = first.get(buffer) ?? [name, encoding];
      first.set(buffer, [other, known]);
      if (!isSameEncoding(headForm(known, cacheHead(name)), encoding)) yield { tensor: name, severity: 'error', what: `is ${encodingText(encoding)}, ${other} is ${encodingText(known)}`, fix: 'unite their ranges and give both the encoding of the union' };
    }
  },
};

export const unitInterval: LintRule = {
  name: 'unit-interval',
  asks: 'results of Softmax and Sigmoid span [0, 1]',
  host: 'the same: 1 has to be a code',
  *check({ graph, activations }) {
    for (const { opType, outputs } of graph.nodes) {
      const encoding = opType === 'Softmax' || opType === 'Sigmoid' ? activations.get(outputs[0]?.name ?? '') : undefined;
      if (encoding?.kind !== 'per-tensor') continue;
      const { min, max } = realRange(encoding);
      if (min !== 0 || Math.abs(max - 1) > 1e-6) yield { tensor: outputs[0]?.name ?? '', severity: 'error', what: `spans [${min}, ${max}] behind ${opType}`, fix: 'offset 0 and scale 1 / (2^bits - 1)' };
    }
  },
};

export const scoreStep: LintRule = {
  name: 'score-step',
  asks: 'scores on their way to Softmax have a step of at most 1/16',
  host: 'Softmax is computed in floating point over scores of this step',
  *check({ graph, activations }) {
    for (const softmax of graph.nodes.filter(({ opType }) => opType === 'Softmax')) {
      for (const { name } of scoresBefore(softmax)) {
        const encoding = activations.get(name);
        if (encoding?.kind === 'per-tensor' && encoding.scale > LARGEST_SCORE_STEP) {
          yield { tensor: name, severity: 'warning', what: `has the step ${encoding.scale} in front of Softmax`, fix: `end the grid ${MASK_MARGIN} below the smallest visible score, where masked ones saturate` };
        }
      }
    }
  },
};

/** From what Softmax reads back to the product with the keys. */
function* scoresBefore(softmax: Node): Generator<Value> {
  let value: Value | undefined = softmax.input(0);
  while (value !== undefined) {
    yield value;
    const node: Node | undefined = value.producer;
    if (node === undefined || node.opType === 'MatMul') return;
    value = maskedScores(node) ?? node.inputs[0];
  }
}

export const maskedRange: LintRule = {
  name: 'masked-range',
  asks: `scores behind the mask reach ${MASK_MARGIN} below the visible ones, hold all of those, and not much more`,
  host: 'the same: the grid of the sum decides what a masked position keeps',
  *check({ graph, activations }) {
    for (const node of graph.nodes) {
      const scores = activations.get(maskedScores(node)?.name ?? '');
      const sum = activations.get(node.outputs[0]?.name ?? '');
      const mask = activations.get('attention_mask');
      if (scores?.kind !== 'per-tensor' || sum?.kind !== 'per-tensor') continue;
      yield* sumBreaches(node.output().name, scores, sum);
      if (mask?.kind === 'per-tensor') yield* maskBreaches(scores, mask);
    }
  },
};

/** A grid begins at 0 when all scores are above it: where they begin is then not known. */
function* sumBreaches(tensor: string, scores: TensorForm, sum: TensorForm): Generator<Breach> {
  const [visible, found] = [realRange(scores), realRange(sum)];
  const tolerance = scores.scale + sum.scale + FLOOR_WIDENING;
  const wanted = `[${visible.min - MASK_MARGIN}, ${visible.max}]`;
  const fix = `give it the range ${wanted}`;
  if (visible.min < 0 && found.min > visible.min - MASK_MARGIN + tolerance) yield { tensor, severity: 'error', what: `begins at ${found.min}, less than ${MASK_MARGIN} below the smallest score ${visible.min}: masked positions keep weight`, fix };
  if (found.max < visible.max - tolerance) yield { tensor, severity: 'error', what: `ends at ${found.max} and cuts scores up to ${visible.max}`, fix };
  const span = visible.max - visible.min + MASK_MARGIN;
  if (found.max - found.min > WIDEST_SCORES * span) yield { tensor, severity: 'warning', what: `spans ${found.max - found.min} where ${span} are needed: the visible scores lose resolution`, fix };
}

function* maskBreaches(scores: TensorForm, mask: TensorForm): Generator<Breach> {
  const { min, max } = realRange(scores);
  const needed = max - min + MASK_MARGIN;
  // The grid of scores is widened to hold 0, so a mask that suits the scores may fall short of the grid by a part of it.
  const reach = min < 0 && max > 0 ? needed * (1 - 1e-3) - 2 * scores.scale : MASK_MARGIN;
  const lowest = realRange(mask).min;
  if (lowest > -reach) yield { tensor: 'attention_mask', severity: 'error', what: `reaches ${lowest}, and scores from ${min} to ${max} need ${-needed}`, fix: 'make the mask value a multiple of 50 beyond that' };
}
