/** Writes a bundle: every file that is not a context binary or comes from the checkpoint. */
import { flatSpecializations, genieConfig, gridSpecializations, metadata, namedSpecializations, toolVersionsYaml } from '@tundish/container';
import { GENIE_CONFIG_FILE } from './bundle.js';
import type { BundleFile } from '@tundish/toolchain';
import type { BundlePlan } from './bundle-plan.js';
import { bundleReadme } from './bundle-readme.js';
import { checkNames, checkPlan } from './check-plan.js';
import { PUSH_SCRIPT, RUN_SCRIPT, pushScript, runScript } from './device-scripts.js';
import { EXTENSIONS_FILE, htpCompileConfig, htpExtensions } from './htp-config.js';
import { gridOf } from './graph-cell.js';
import { RUN_LIST_FILE, runList, runListText } from './run-list.js';
import { jsonFile, textFile } from './text-file.js';

/**
 * Equal plans give equal bytes. `lintBundle` is for the result, with the binaries beside it.
 *
 * @throws TundishError GENIE_PLAN_INVALID; CONTAINER_GENIE_UNSUPPORTED where genie_config.json cannot say the model (yarn, no BOS)
 */
export function bundleFiles(plan: BundlePlan): BundleFile[] {
  checkPlan(plan);
  const { chip, device } = plan;
  const graphs = plan.parts.flatMap((part) => part.graphs);
  const { ars, contextLengths } = gridOf(graphs);
  const genie = genieConfig({
    ...plan.checkpoint,
    contextLength: Math.max(...contextLengths),
    generation: plan.generation,
    seed: plan.seed,
    stopSequences: plan.stopSequences,
    contextBinaries: plan.parts.map(({ file }) => file),
    tokenizer: plan.tokenizer,
    extensions: EXTENSIONS_FILE,
    engine: device.engine,
  });
  const onDevice = [jsonFile(GENIE_CONFIG_FILE, genie), jsonFile(EXTENSIONS_FILE, htpExtensions(plan))];
  const script = device.system === 'windows' ? [] : [textFile(RUN_SCRIPT, runScript())];
  const grid = gridSpecializations(ars, contextLengths);
  const beside = [
    ...plan.parts.map((part, index) => jsonFile(`htp_compile_config_${index + 1}_of_${plan.parts.length}.json`, htpCompileConfig(plan, part))),
    jsonFile('specializations.json', namedSpecializations(grid)),
    jsonFile('specializations_flat.json', flatSpecializations(grid)),
    jsonFile('metadata.json', metadata({ modelId: plan.model, modelName: `${plan.model} for ${chip.name}`, precision: plan.precision, runtime: 'genie', toolVersions: plan.toolVersions, graphs })),
    textFile('tool-versions.yaml', toolVersionsYaml(plan.toolVersions)),
    textFile(RUN_LIST_FILE, runListText(runList(plan, [...onDevice, ...script].map(({ path }) => path)))),
    ...(script.length === 0 ? [] : [textFile(PUSH_SCRIPT, pushScript(plan))]),
    textFile('README.md', bundleReadme(plan)),
  ];
  const files = [...onDevice, ...script, ...beside];
  checkNames(plan, files);
  return files;
}
