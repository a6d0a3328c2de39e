/** Where the weight files lie that plans refer to. */
import type { Tensor } from '@tundish/graph';
import type { FileResolver } from '@tundish/toolchain';
import type { WeightPaths } from '../compose/compose-into.js';
import type { PlannedTensor, QnnGraphPlan } from '../compose/plan.js';

/** Absolute paths by the logical names that the plans use. */
export function weightPaths(plans: readonly QnnGraphPlan[], resolve: FileResolver): WeightPaths {
  const tensors = plans.flatMap((plan) => plan.tensors.flatMap(storedTensors));
  const locations = new Set(tensors.flatMap((tensor) => (tensor.kind === 'external' ? [tensor.location] : [])));
  return Object.fromEntries([...locations].map((location) => [location, resolve(location)]));
}

function storedTensors({ data, quantization }: PlannedTensor): Tensor[] {
  const codes = data === undefined || 'values' in data ? [] : ['stored' in data ? data.stored : 'reals' in data ? data.reals : data.projection];
  return quantization?.kind === 'blockwise' ? [...codes, quantization.blockScales] : codes;
}
