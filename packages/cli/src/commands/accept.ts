/** accept: the vendor's own runtime on the bundle of a model, held against ours. */
import { formatBytes } from '@tundish/diagnostics';
import { type Prompt, openContainer } from '@tundish/runtime';
import { BUNDLE_RULES, type GraphMemoryEstimate, type QairtLibraries, type QueryProfile, bundleBinary, inspectContextBinary, lintBundle, readBundle, requireLibraries, withGenie } from '@tundish/toolchain-qairt';
import { collectTokens } from '../collect-tokens.js';
import { qairtPlaces } from '../environment.js';
import { type ModelFolder, executableContainer } from '../executable-container.js';
import { withoutEnd } from '../generate-on-genie.js';
import { geniePrompt, promptReader } from '../genie-prompt.js';
import { type Io, ioReporter } from '../io.js';
import { toolchainNamed } from '../toolchains.js';

export interface AcceptOptions extends ModelFolder {
  /** Texts to continue, each from an empty context. */
  readonly prompts: readonly string[];
  /** Of one answer. */
  readonly maxTokens: number;
  /** Of several that the model is built for; absent: the first. */
  readonly chip?: string;
  readonly threads: number;
  readonly json: boolean;
  readonly signal: AbortSignal;
}

/** What one prompt gave. */
export interface AcceptedPrompt {
  readonly prompt: string;
  readonly tokens: number;
  /** Tokens before the first that differs; `tokens` when none does. */
  readonly equal: number;
  readonly genie: readonly number[];
  readonly ours: readonly number[];
  /** As Genie measured it in the emulator, which says nothing of a device. */
  readonly profile: QueryProfile | null;
}

/** What `--json` prints. */
export interface AcceptReport {
  readonly folder: string;
  /** Findings of the lint, one line each. */
  readonly findings: readonly string[];
  readonly memory: readonly GraphMemoryEstimate[];
  readonly initTimeUs: number;
  readonly prompts: readonly AcceptedPrompt[];
}

/**
 * Lints the bundle, has Genie make a dialog of it, and has Genie and our runner continue the same prompts greedily in the emulator.
 *
 * @returns exit code: 1 when a token differs or the lint finds something
 */
export async function acceptCommand(options: AcceptOptions, io: Io): Promise<number> {
  const reporter = ioReporter(io);
  try {
    const { folder } = await executableContainer({ ...options, on: 'genie', reporter });
    const libraries = requireLibraries(qairtPlaces());
    const bundle = await readBundle(folder, async (path) => bundleBinary(await inspectContextBinary(path, libraries, options.signal)));
    const findings = lintBundle(bundle).map(({ message }) => message);
    const report = { folder, findings, ...(await answers(folder, libraries, options)) };
    io.out(options.json ? `${JSON.stringify(report, null, 2)}\n` : describe(report));
    return findings.length === 0 && report.prompts.every(({ tokens, equal }) => equal === tokens) ? 0 : 1;
  } finally {
    reporter.close();
  }
}

/** Both runtimes have the binaries open at once: each answers prompt after prompt. */
async function answers(folder: string, libraries: QairtLibraries, { prompts, maxTokens, threads, signal }: AcceptOptions): Promise<Pick<AcceptReport, 'memory' | 'initTimeUs' | 'prompts'>> {
  const reader = await promptReader(folder);
  const { eos } = reader.container.manifest.tokens;
  const session = await openContainer(folder, { toolchain: toolchainNamed, threads });
  const ours = async (prompt: Prompt, most: number): Promise<readonly number[]> => (await collectTokens(session.generate(prompt, { maxTokens: most, temperature: 0, repetitionPenalty: 1, signal }), undefined)).ids;
  try {
    return await withGenie(libraries, folder, { signal, greedy: true }, async (dialog) => {
      const accepted: AcceptedPrompt[] = [];
      for (const prompt of prompts) {
        const { ids, given, room } = await geniePrompt(reader, prompt);
        const most = Math.min(maxTokens, room);
        await dialog.reset();
        const genie = withoutEnd(await dialog.generateTokens(given, { maxTokens: most }), eos);
        const own = await ours({ ids }, most);
        const differs = genie.findIndex((id, i) => id !== own[i]);
        const tokens = Math.max(genie.length, own.length);
        accepted.push({ prompt, tokens, equal: differs >= 0 ? differs : Math.min(genie.length, own.length), genie, ours: own, profile: null });
      }
      const { queries, initTimeUs } = await dialog.profile();
      return { memory: dialog.memory, initTimeUs, prompts: accepted.map((each, i) => ({ ...each, profile: queries[i] ?? null })) };
    });
  } finally {
    await session.close();
  }
}

function describe({ folder, findings, memory, initTimeUs, prompts }: AcceptReport): string {
  const lines = [
    `bundle   ${folder}: ${BUNDLE_RULES.length} rules, ${findings.length === 0 ? 'no finding' : `${findings.length} findings`}`,
    ...findings.map((finding) => `  ${finding.replaceAll('\n', '\n  ')}`),
    `Genie    made a dialog in ${(initTimeUs / 1e6).toFixed(1)} s`,
    ...memory.map(({ graph, totalMib, weightBytes, spillFillBytes }) => `  ${graph}: ${totalMib} MiB by its own estimate, of which ${formatBytes(weightBytes)} weights and ${formatBytes(spillFillBytes)} spill-fill`),
    ...prompts.flatMap(({ prompt, tokens, equal, profile }) => [
      `tokens   ${equal} of ${tokens} equal behind ${JSON.stringify(prompt)}`,
      ...(profile === null ? [] : [`  emulated: first token after ${(profile.timeToFirstTokenUs / 1e6).toFixed(2)} s, prompt ${profile.promptTokensPerSecond.toFixed(1)} tok/s, generation ${profile.generatedTokensPerSecond.toFixed(1)} tok/s`]),
    ]),
  ];
  return `${lines.join('\n')}\n`;
}
