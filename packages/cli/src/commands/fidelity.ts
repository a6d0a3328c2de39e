/** fidelity: how well the simulation of the host predicts the device, operation by operation, encoding by encoding, and over text. */
import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Reporter } from '@tundish/diagnostics';
import { Pipeline, type PipelineRequest } from '@tundish/stages';
import { emulatorLock } from '@tundish/stages/lock';
import { partOptions, requireLibraries } from '@tundish/toolchain-qairt';
import { cacheRootOf, hubAccess, hubCacheOf, qairtPlaces } from '../environment.js';
import { lastGraphStage } from '../evaluated-stages.js';
import { evaluationWindows, requireContext, type WindowOptions } from '../evaluation-windows.js';
import { executableContainer } from '../executable-container.js';
import { EXIT } from '../exit-codes.js';
import { chosenPair, deviceGraphs } from '../fidelity/device-graphs.js';
import { measureOperations } from '../fidelity/measured-operations.js';
import { type FidelityReport, fidelityReport } from '../fidelity/report.js';
import { reportHtml } from '../fidelity/report-html.js';
import { reportJson, reportText } from '../fidelity/report-text.js';
import { textAgreement } from '../fidelity/text-agreement.js';
import { type Io, ioReporter } from '../io.js';
import { engineModelOf } from '../logit-sources.js';
import { withRemote } from '../remote-results.js';
import { adapters, toolchainVersion } from '../toolchains.js';

export interface FidelityOptions extends WindowOptions {
  readonly workspaceRoot: string;
  readonly modelRoot: string;
  /** Of several that the model is built for; absent: the first. */
  readonly chip?: string;
  /** AR and CL whose operations are measured, as `ar32-cl256`. */
  readonly graphs?: string;
  /** False: operations and encodings alone. */
  readonly text: boolean;
  /** File that the report is written to as a page. */
  readonly html?: string;
  readonly json: boolean;
  readonly threads: number;
  readonly signal: AbortSignal;
}

/** Without a limit: the emulator needs a minute for so many windows of a small model. */
const WINDOWS = 2;

/** @returns exit code: 0 when everything passes its gate, else 1 */
export async function fidelityCommand(options: FidelityOptions, io: Io): Promise<number> {
  const reporter = ioReporter(io);
  const report = await measure(options, reporter).finally(() => reporter.close());
  if (options.html !== undefined) await writeFile(resolve(options.html), reportHtml(report));
  io.out(options.json ? reportJson(report) : reportText(report));
  return report.findings.length === 0 ? EXIT.ok : EXIT.no;
}

async function measure(options: FidelityOptions, reporter: Reporter): Promise<FidelityReport> {
  const { workspaceRoot, modelRoot, chip, threads, signal } = options;
  const shared = await pipelineRequest(options, reporter);
  const model = { workspaceRoot, modelRoot, threads, reporter, signal, ...(chip === undefined ? {} : { chip }) };
  const containers = options.text ? { device: (await executableContainer({ ...model, on: 'emulator' })).folder, simulation: (await executableContainer({ ...model, on: 'host' })).folder } : undefined;
  const built = await Pipeline.open({ ...shared, observers: [] });
  await built.close();
  const pipeline = Pipeline.ofVariant(shared, emulatorLock(built.lock, chip));
  try {
    const { windows, protocol } = await evaluationWindows({ ...options, limit: options.limit ?? WINDOWS }, pipeline);
    if (options.text) requireContext(pipeline, windows);
    const graphs = await deviceGraphs(pipeline, chosenPair(pipeline.lock, options.graphs));
    const compiled = compileOptions(pipeline);
    const measured = await measureOperations({
      libraries: requireLibraries(qairtPlaces()), options: compiled, graphs, reporter, signal, tokens: windows[0] as Int32Array,
      model: await engineModelOf(pipeline, lastGraphStage(pipeline.lock)),
    });
    const agreement = containers === undefined ? null : await textAgreement({ pipeline, containers, protocol, windows, options: { threads, signal }, reporter });
    const { position, tokens, operations, encodings } = measured;
    const origin = {
      model: pipeline.layout.model, chip: compiled.chip.name, hexagon: compiled.chip.hexagon, device: pipeline.lock.stages.compile.toolchain.version,
      simulation: (await toolchainVersion('host')) as string, graphs: graphs.map(({ plan: { name } }) => name), position, tokens,
    };
    return fidelityReport({ origin, operations, encodings, agreement });
  } finally {
    await pipeline.close();
  }
}

async function pipelineRequest({ workspaceRoot, modelRoot, signal, threads }: FidelityOptions, reporter: Reporter): Promise<PipelineRequest> {
  return { workspaceRoot, modelRoot, reporter, signal, threads, adapters, cacheRoot: cacheRootOf(workspaceRoot), hubCache: hubCacheOf(), hub: hubAccess(), ...(await withRemote({ reporter, signal })) };
}

/** What the twin of the emulator is compiled with: one chip, nothing shared. */
function compileOptions({ lock }: Pipeline): ReturnType<typeof partOptions> {
  const { chips: [chip], ...others } = lock.stages.compile.options as { readonly chips: readonly { readonly name: string; readonly vtcmMb: number }[] };
  return partOptions({ ...others, chip: chip?.name, vtcmMb: chip?.vtcmMb, weightSharing: false });
}
