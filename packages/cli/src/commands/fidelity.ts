/** fidelity: how well the simulation of the host predicts the device, operation by operation, encoding by encoding, and over text. */
import { accessSync, constants, existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { type Reporter, messageOf } from '@tundish/diagnostics';
import { FLOAT16_MASK } from '@tundish/quantize';
import { Pipeline, type PipelineRequest } from '@tundish/stages';
import { emulatorLock } from '@tundish/stages/lock';
import { type PartOptions, type Precision, partOptions, requireLibraries } from '@tundish/toolchain-qairt';
import { cacheRootOf, hubAccess, hubCacheOf, qairtPlaces } from '../environment.js';
import { cliError } from '../errors.js';
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
  const page = options.html === undefined ? undefined : writablePath(options.html);
  const reporter = ioReporter(io);
  const report = await measure(options, reporter).finally(() => reporter.close());
  if (page !== undefined) await writeFile(page, reportHtml(report));
  io.out(options.json ? reportJson(report) : reportText(report));
  return report.findings.length === 0 ? EXIT.ok : EXIT.no;
}

/** Before anything is measured, since measuring takes minutes. @throws CLI_USAGE */
function writablePath(html: string): string {
  const path = resolve(html);
  try {
    accessSync(existsSync(path) ? path : dirname(path), constants.W_OK);
  } catch (cause) {
    throw cliError('CLI_USAGE', { what: 'the page cannot be written', why: messageOf(cause), evidence: { path }, fix: 'name a file in a folder that is there', cause });
  }
  return path;
}

async function measure(options: FidelityOptions, reporter: Reporter): Promise<FidelityReport> {
  const { threads, signal } = options;
  const shared = await pipelineRequest(options, reporter);
  const built = await Pipeline.open({ ...shared, observers: [] });
  await built.close();
  const lock = emulatorLock(built.lock, options.chip);
  const pair = chosenPair(lock, options.graphs);
  const libraries = requireLibraries(qairtPlaces());
  const compiled = compileOptions(lock);
  const pipeline = Pipeline.ofVariant(shared, lock);
  try {
    const { windows, protocol } = await evaluationWindows({ ...options, limit: options.limit ?? WINDOWS }, pipeline);
    if (options.text) requireContext(pipeline, windows);
    const containers = options.text ? await builtContainers(options, reporter) : undefined;
    const graphs = await deviceGraphs(pipeline, pair);
    const precision: Precision = lock.stages.convert.options.precision ?? 'codes';
    const encoded = await engineModelOf(pipeline, lastGraphStage(lock));
    const model = precision === 'fp16' ? { ...encoded, maskValue: FLOAT16_MASK } : encoded;
    const { position, tokens, ...measured } = await measureOperations({ libraries, options: compiled, graphs, model, reporter, signal, tokens: windows[0] as Int32Array });
    const agreement = containers === undefined ? null : await textAgreement({ pipeline, containers, precision, protocol, windows, options: { threads, signal }, reporter });
    const origin = {
      model: pipeline.layout.model, chip: compiled.chip.name, hexagon: compiled.chip.hexagon, device: lock.stages.compile.toolchain.version,
      simulation: `${(await toolchainVersion('host')) as string}, ${precision === 'fp16' ? 'float32' : 'numerics htp'}`, precision, graphs: graphs.map(({ plan: { name } }) => name), position, tokens,
    };
    return fidelityReport({ ...measured, origin, agreement });
  } finally {
    await pipeline.close();
  }
}

/** The twin for the emulator and the simulation, as every other verb runs them. */
async function builtContainers({ workspaceRoot, modelRoot, chip, threads, signal }: FidelityOptions, reporter: Reporter): Promise<{ readonly device: string; readonly simulation: string }> {
  const request = { workspaceRoot, modelRoot, threads, reporter, signal, ...(chip === undefined ? {} : { chip }) };
  const { folder: device } = await executableContainer({ ...request, on: 'emulator' });
  const { folder: simulation } = await executableContainer({ ...request, on: 'host' });
  return { device, simulation };
}

async function pipelineRequest({ workspaceRoot, modelRoot, signal, threads }: FidelityOptions, reporter: Reporter): Promise<PipelineRequest> {
  return { workspaceRoot, modelRoot, reporter, signal, threads, adapters, cacheRoot: cacheRootOf(workspaceRoot), hubCache: hubCacheOf(), hub: hubAccess(), ...(await withRemote({ reporter, signal })) };
}

/** What the twin of the emulator is compiled with: one chip, nothing shared. */
function compileOptions({ stages }: Pipeline['lock']): PartOptions {
  const { chips: [chip], ...others } = stages.compile.options as { readonly chips: readonly { readonly name: string; readonly vtcmMb: number }[] };
  return partOptions({ ...others, chip: chip?.name, vtcmMb: chip?.vtcmMb, weightSharing: false });
}
