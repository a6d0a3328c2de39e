/** From a plan to Nx projects: the model, and a virtual project per cell and per part, so that adding a cell re-runs no other. */
import type { CreateNodesResult, ProjectConfiguration } from '@nx/devkit';
import { LOCK_FILE, RECIPE_FILE } from '../model-folders.js';
import type { ModelFolder } from '../model-folders.js';
import type { StageName } from '@tundish/recipe/lock';
import { customStagesAfter } from '@tundish/stages/lock';
import { nativeBuild } from './native-build.js';
import type { RecognizedModel } from './recognized-model.js';
import { commandTarget, projectOf, stageTarget, umbrellaTarget } from './stage-target.js';
import type { Plan } from './stage-target.js';

type Project = Omit<ProjectConfiguration, 'root'>;

/** The projects of one model by root, in a fixed order. The roots of cells and parts are folders that do not exist. */
export function inferProjects(workspaceRoot: string, model: ModelFolder, { plan, readFiles }: RecognizedModel): CreateNodesResult {
  const projects: Record<string, Project> = { [model.root]: modelProject(workspaceRoot, model, plan, readFiles), [`${model.root}/${RECIPE_FILE}`]: recipeProject(model) };
  for (const cell of Object.keys(plan.cells).sort()) projects[`${model.root}/cells/${cell}`] = cellProject(workspaceRoot, model, plan, cell);
  for (const part of Object.keys(plan.parts).sort()) projects[`${model.root}/parts/${part}`] = partProject(workspaceRoot, model, plan, part);
  return { projects };
}

function modelProject(workspaceRoot: string, model: ModelFolder, plan: Plan, readFiles: readonly string[]): Project {
  const whole = (stage: string): ReturnType<typeof stageTarget> => stageTarget(model, plan, { stage, subject: null });
  const after = (...stages: StageName[]): string[] => stages.flatMap((stage) => customStagesAfter(plan, stage));
  const custom = after('load', 'optimize', 'quantize', 'arcl');
  const kernels = nativeBuild(workspaceRoot);
  const device = deviceTargets(model, plan);
  return {
    name: model.name,
    projectType: 'application',
    tags: ['tundish:model'],
    targets: {
      compile: umbrellaTarget(model, readFiles),
      load: whole('load'),
      optimize: whole('optimize'),
      quantize: stageTarget(model, plan, { stage: 'quantize', subject: null }, { kernels, parallelism: false }),
      arcl: whole('arcl'),
      package: whole('package'),
      ...Object.fromEntries(custom.map((stage) => [stage, whole(stage)])),
      generate: commandTarget('generate', model, 'generate', 'Generates text from the container: --prompt "And God said" --max-tokens 64'),
      chat: commandTarget('chat', model, 'chat', 'A conversation with the container: type a message, or /help.'),
      evaluate: commandTarget('evaluate', model, 'evaluate', 'Perplexity, KL divergence and top-1 agreement against the checkpoint, after load, quantize and compile.'),
      ...device,
      compare: commandTarget('compare', model, 'compare', 'Several recipes over this checkpoint side by side: --recipes minmax,fast', kernels === undefined ? [] : [kernels]),
    },
    metadata: {
      technologies: ['tundish'],
      description: `Builds ${model.root}/recipe.yaml: one checkpoint in, one container out. Start with: npx nx run ${model.name}:compile`,
      targetGroups: { Build: ['compile'], Stages: ['load', ...after('load'), 'optimize', ...after('optimize'), 'quantize', ...after('quantize'), 'arcl', ...after('arcl'), 'package'], Use: ['generate', 'chat', 'evaluate', 'compare', ...Object.keys(device)] },
    },
  };
}

/** Of a model for a device; parts of such a build are named after their chips. */
function deviceTargets(model: ModelFolder, plan: Plan): Record<string, ReturnType<typeof commandTarget>> {
  const parts = Object.keys(plan.parts).sort();
  if (!parts.some((part) => plan.parts[part]?.chip !== undefined)) return {};
  const converted = Object.keys(plan.cells).sort().map((subject) => projectOf(model, plan, { stage: 'convert', subject }));
  const compiled = parts.map((subject) => projectOf(model, plan, { stage: 'compile', subject }));
  return {
    verify: commandTarget('verify', model, 'verify', "Has the vendor's runtime accept the bundle: its tokens must be those of our runner."),
    'export-dlc': commandTarget('export-dlc', model, 'export-dlc', 'Every graph as a deep learning container, for the tools of the vendor.', [{ projects: converted, target: 'convert' }]),
    'export-epcontext': commandTarget('export-epcontext', model, 'export-epcontext', 'The context binaries with ONNX files around their graphs, for ONNX Runtime.', [{ projects: compiled, target: 'compile' }]),
  };
}

/**
 * Owns recipe.yaml, so that a comment in it touches no project with targets: what the recipe means is in the lock, or the lock is
 * behind and every file is an input of the model.
 */
function recipeProject(model: ModelFolder): Project {
  return {
    name: `${model.name}/recipe`,
    projectType: 'library',
    tags: ['tundish:recipe'],
    metadata: { technologies: ['tundish'], description: `The text of ${model.root}/${RECIPE_FILE}; what it means to a build is in ${LOCK_FILE}` },
  };
}

function cellProject(workspaceRoot: string, model: ModelFolder, plan: Plan, cell: string): Project {
  const { ar, cl, part, parts } = plan.cells[cell] as Plan['cells'][string];
  const about = `AR ${ar}, CL ${cl}, part ${part} of ${parts}`;
  const custom = customStagesAfter(plan, 'transform');
  return {
    name: projectOf(model, plan, { stage: 'transform', subject: cell }),
    projectType: 'library',
    tags: ['tundish:cell'],
    implicitDependencies: [model.name],
    targets: {
      transform: stageTarget(model, plan, { stage: 'transform', subject: cell }, { about }),
      convert: stageTarget(model, plan, { stage: 'convert', subject: cell }, { about, kernels: nativeBuild(workspaceRoot) }),
      ...Object.fromEntries(custom.map((stage) => [stage, stageTarget(model, plan, { stage, subject: cell }, { about })])),
    },
    metadata: { technologies: ['tundish'], description: `One graph of ${model.name}: ${about}`, targetGroups: { Stages: ['transform', ...custom, 'convert'] } },
  };
}

function partProject(workspaceRoot: string, model: ModelFolder, plan: Plan, name: string): Project {
  const { part, parts, cells } = plan.parts[name] as Plan['parts'][string];
  const about = `Part ${part} of ${parts}, ${cells.length} graphs`;
  return {
    name: projectOf(model, plan, { stage: 'compile', subject: name }),
    projectType: 'library',
    tags: ['tundish:part'],
    implicitDependencies: cells.map((cell) => projectOf(model, plan, { stage: 'convert', subject: cell })),
    targets: { compile: stageTarget(model, plan, { stage: 'compile', subject: name }, { about, kernels: nativeBuild(workspaceRoot), parallelism: false }) },
    metadata: { technologies: ['tundish'], description: `Compiled unit of ${model.name}: part ${part} of ${parts}, ${cells.length} graphs that share its weights`, targetGroups: { Stages: ['compile'] } },
  };
}
