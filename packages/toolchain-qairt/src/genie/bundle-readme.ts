/** README.md of a bundle: what it is, what lies in it, and how it is run. */
import { GENIE_CONFIG_FILE } from './bundle.js';
import type { BundlePlan } from './bundle-plan.js';
import { PUSH_SCRIPT, RUN_SCRIPT } from './device-scripts.js';
import { gridOf } from './graph-cell.js';
import { EXTENSIONS_FILE } from './htp-config.js';
import { GENIE_PROGRAM, RUN_LIST_FILE } from './run-list.js';

export function bundleReadme(plan: BundlePlan): string {
  const { chip, compile, device } = plan;
  const { ars, contextLengths } = gridOf(plan.parts.flatMap(({ graphs }) => graphs));
  const versions = Object.keys(plan.toolVersions).sort().map((tool) => `${tool} ${plan.toolVersions[tool]}`);
  return `# ${plan.model} for ${chip.name}

${plan.precision}, compiled for ${[chip.name, ...chip.aliases].join(', ')} (SoC ${chip.socModel}, Hexagon v${chip.hexagon}) with ${versions.join(', ')}.
The runtime on the device must not be older than the compiler.

| file | content |
|---|---|
${plan.parts.map(({ file, graphs }) => `| \`${file}\` | ${graphs.map(({ name }) => name).join(', ')} |`).join('\n')}
| \`${GENIE_CONFIG_FILE}\` | dialog: context ${Math.max(...contextLengths)}, vocabulary ${plan.checkpoint.vocabularySize} |
| \`${EXTENSIONS_FILE}\` | chip, profile ${device.profile}, ${device.domain} domain |
| ${[plan.tokenizer, ...plan.carried].map((path) => `\`${path}\``).join(', ')} | as in the checkpoint |
| \`${RUN_LIST_FILE}\` | every file that the device needs: from this bundle, or below the SDK |

Graphs: AR ${ars.join(', ')}, CL ${contextLengths.join(', ')}; ${compile.weightSharing ? 'weights shared' : 'weights not shared'}, VTCM ${compile.vtcmMb} MiB, O${compile.optimization}, DLBC ${compile.dlbc ? 'on' : 'off'}.

## Running

${device.system === 'windows' ? windows() : adb(device.folder)}`;
}

function adb(folder: string): string {
  return `\`\`\`
QAIRT_SDK_ROOT=... sh ${PUSH_SCRIPT}
adb push prompt.txt ${folder}/
adb shell sh ${folder}/${RUN_SCRIPT} --prompt_file prompt.txt --profile profile.json
\`\`\`
`;
}

function windows(): string {
  return `Copy the files of \`${RUN_LIST_FILE}\` into one folder, those below the SDK without their folders, and run in it:

\`\`\`
.\\${GENIE_PROGRAM}.exe -c ${GENIE_CONFIG_FILE} --prompt_file prompt.txt --profile profile.json
\`\`\`
`;
}
