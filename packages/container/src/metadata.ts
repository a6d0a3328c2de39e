/** metadata.json and tool-versions.yaml: what other runtimes and tools read to know the graphs and their makers. */
import type { ContainerGraph, ContainerTensor } from './manifest.js';

/** An input or output as a toolchain's own compiler states it: its element types may go beyond those of the manifest. */
export interface MetadataTensor extends Omit<ContainerTensor, 'dtype'> {
  readonly dtype: string;
}

export interface MetadataGraph extends Pick<ContainerGraph, 'name'> {
  readonly inputs: readonly MetadataTensor[];
  readonly outputs: readonly MetadataTensor[];
}

export interface MetadataFacts {
  readonly modelId: string;
  readonly modelName?: string;
  /** `w4a16`, `float`, ... */
  readonly precision: string;
  /** Toolchain that executes the graphs: `host`, `genie`. */
  readonly runtime: string;
  readonly toolVersions: Readonly<Record<string, string>>;
  readonly graphs: readonly MetadataGraph[];
}

/** Plain data of metadata.json: per graph its inputs and outputs with shape, dtype and quantization. */
export function metadata(facts: MetadataFacts): Record<string, unknown> {
  return {
    model_id: facts.modelId,
    ...(facts.modelName === undefined ? {} : { model_name: facts.modelName }),
    precision: facts.precision,
    runtime: facts.runtime,
    tool_versions: { ...facts.toolVersions },
    model_files: Object.fromEntries(facts.graphs.map((graph) => [graph.name, { inputs: tensors(graph.inputs), outputs: tensors(graph.outputs) }])),
  };
}

/** Text of tool-versions.yaml: one `tool: "version"` a line, sorted by tool. */
export function toolVersionsYaml(versions: Readonly<Record<string, string>>): string {
  const tools = Object.keys(versions).sort();
  return tools.map((tool) => `${JSON.stringify(tool)}: ${JSON.stringify(versions[tool])}\n`).join('');
}

function tensors(list: readonly MetadataTensor[]): Record<string, unknown> {
  return Object.fromEntries(list.map((tensor) => [tensor.name, describe(tensor)]));
}

function describe(tensor: MetadataTensor): Record<string, unknown> {
  const { quantization } = tensor;
  return {
    shape: [...tensor.shape],
    dtype: tensor.dtype,
    ...(quantization === undefined ? {} : { quantization_parameters: { scale: quantization.scale, zero_point: quantization.zeroPoint, ...(quantization.headScales === undefined ? {} : { head_scales: [...quantization.headScales] }), ...(quantization.rounding === undefined ? {} : { rounding: quantization.rounding }) } }),
  };
}
