/** The bundle of a built model: its files from what the build knows, held against the lint. */
import { GENIE_ENGINE } from '@tundish/container';
import type { DevicePackageOptions } from '@tundish/recipe/lock';
import type { BundleFile, BundleRequest, GraphIo, IoTensor } from '@tundish/toolchain';
import { partOptions } from '../compile/options.js';
import { type Bundle, type BundleGraph, type BundleTensor, GENIE_CONFIG_FILE } from './bundle.js';
import { bundleFiles } from './bundle-files.js';
import type { BundlePlan, DeviceSettings } from './bundle-plan.js';
import { defaultDeviceSettings } from './default-settings.js';
import { EXTENSIONS_FILE } from './htp-config.js';
import { lintBundle } from './lint/lint-bundle.js';

const MEBIBYTE = 2 ** 20;

/**
 * @throws the first of the findings of `lintBundle` (GENIE_*), GENIE_PLAN_INVALID, and CONTAINER_GENIE_UNSUPPORTED where
 *   genie_config.json cannot say the model
 */
export function makeBundle(request: BundleRequest): BundleFile[] {
  const plan = bundlePlan(request);
  const files = bundleFiles(plan);
  const [problem] = lintBundle(bundleOf(request, plan, files));
  if (problem !== undefined) throw problem;
  return files;
}

function bundlePlan(request: BundleRequest): BundlePlan {
  const { chip, weightSharing, graph } = partOptions(request.compile);
  const options = request.options as DevicePackageOptions;
  return {
    model: request.model, precision: request.precision, chip,
    parts: request.parts.map(({ file, graphs }) => ({ file, graphs: graphs.map(bundleGraph) })),
    checkpoint: request.checkpoint, generation: request.generation, seed: request.seed, stopSequences: options.stopSequences,
    tokenizer: request.tokenizer, carried: [...request.carried.keys()].filter((name) => name !== request.tokenizer), toolVersions: request.toolVersions,
    compile: {
      vtcmMb: graph.vtcmMegabytes, optimization: graph.optimization, dlbc: graph.dlbc === 1, weightSharing,
      ...(graph.hvxThreads === undefined ? {} : { hvxThreads: graph.hvxThreads }),
    },
    device: deviceSettings(request, options),
  };
}

function deviceSettings({ model, compile }: BundleRequest, { profile, domain, system, folder, spillFillMb }: DevicePackageOptions): DeviceSettings {
  const defaults = defaultDeviceSettings(partOptions(compile).chip, model, system);
  return { ...defaults, profile, domain, ...(folder === undefined ? {} : { folder }), engine: { ...GENIE_ENGINE, ...defaults.engine, spillFillBytes: spillFillMb * MEBIBYTE } };
}

/** Binaries were held against these graphs when they were compiled. */
function bundleOf({ parts, carried }: BundleRequest, { chip, ...plan }: BundlePlan, files: readonly BundleFile[]): Bundle {
  const text = (path: string): [string, string][] => files.filter((file) => file.path === path).map(({ bytes }) => [path, new TextDecoder().decode(bytes)]);
  return {
    files: new Map([...carried, ...parts.map(({ file, bytes }) => [file, bytes] as const), ...files.map(({ path, bytes }) => [path, bytes.length] as const)]),
    texts: new Map([...text(GENIE_CONFIG_FILE), ...text(EXTENSIONS_FILE)]),
    binaries: new Map(plan.parts.map(({ file, graphs }) => [file, { socModel: chip.socModel, graphs }])),
  };
}

function bundleGraph({ name, inputs, outputs }: GraphIo): BundleGraph {
  return { name, inputs: inputs.map(bundleTensor), outputs: outputs.map(bundleTensor) };
}

function bundleTensor({ name, dtype, shape, quantization }: IoTensor): BundleTensor {
  return { name, dtype, shape, ...(quantization === undefined ? {} : { quantization: { scale: quantization.scale, zeroPoint: quantization.zeroPoint } }) };
}
