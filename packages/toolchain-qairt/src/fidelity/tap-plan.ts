/** Makes every activation inside a planned graph one of its outputs: the codes stay what they are, and all of them can be read. */
import { TENSOR_KINDS } from '../inspection/element-types.js';
import type { PlannedTensor, QnnGraphPlan } from '../compose/plan.js';

/** Own outputs first, in their order, then what was inside, in the order in which it is made. */
export function tapPlan(plan: QnnGraphPlan): QnnGraphPlan {
  const tensors = plan.tensors.map((tensor): PlannedTensor => (tensor.kind === TENSOR_KINDS.inside ? { ...tensor, kind: TENSOR_KINDS.output } : tensor));
  const taps = tensors.filter((tensor, i) => tensor !== plan.tensors[i]);
  return { ...plan, tensors, outputs: [...plan.outputs, ...taps] };
}
