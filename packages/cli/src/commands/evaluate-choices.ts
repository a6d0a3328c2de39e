/** evaluate --choices: multiple-choice questions in the form of MMLU, asked the checkpoint and each artifact. */
import { readFile } from 'node:fs/promises';
import { type Reporter, messageOf } from '@tundish/diagnostics';
import { type ChoiceProtocol, type Prompt, type Question, choicePrompts, evaluateChoices, everyNth, formatChoiceTable, letterTokens, parseQuestions } from '@tundish/evaluate';
import type { Pipeline } from '@tundish/stages';
import { sha256 } from '@tundish/store';
import { cliError } from '../errors.js';
import type { SourceOptions } from '../logit-sources.js';
import { commonFields, modelFactsOf, modelTokenizer } from '../model-text.js';
import { evaluatedStages } from '../evaluated-stages.js';
import { type PlaceOptions, stageOpeners, withArtifacts } from '../opened-artifacts.js';

export interface ChoiceOptions {
  /** File of questions: .csv as MMLU's own, or .jsonl. */
  readonly choices?: string;
  /** Examples before each question: 5 when there is a file of examples, else 0. */
  readonly shots?: number;
  /** File of examples, in the same form. */
  readonly examples?: string;
  /** Asks only so many questions, at equal distances over the file. */
  readonly limit?: number;
  /** Results to measure, by stage. */
  readonly stage?: readonly string[];
}

const USUAL_SHOTS = 5;

/** @returns what the command prints */
export async function evaluateChoiceFile(options: ChoiceOptions & PlaceOptions & SourceOptions & { readonly choices: string; readonly json: boolean }, pipeline: Pipeline, reporter: Reporter): Promise<string> {
  const { prompts, protocol } = await prepare(options, pipeline);
  const tokens = Math.max(...prompts.map((prompt) => prompt.tokens.length));
  const openers = stageOpeners({ pipeline, options, tokens, reporter }, evaluatedStages(pipeline.lock, options.stage));
  const results = await withArtifacts({ pipeline, students: openers, options, tokens, reporter }, (teacher, students) => {
    const onQuestion = (done: number, total: number): void => reporter.progress({ work: 'evaluate', label: 'questions', done, total });
    onQuestion(0, prompts.length);
    return evaluateChoices({ protocol, prompts, teacher, students, signal: options.signal, onQuestion });
  });
  if (options.json) return `${JSON.stringify(results, null, 2)}\n`;
  const [first] = results;
  const shortened = first === undefined || first.shortened === 0 ? '' : `, ${first.shortened} with fewer for want of room`;
  return `${formatChoiceTable(results)}\n${prompts.length} questions, ${protocol.shots} examples each${shortened}; checkpoint ${(100 * (first?.teacherAccuracy ?? NaN)).toFixed(2)} %; answers are the tokens ${protocol.leadingSpace ? '" A" to " D"' : '"A" to "D"'}; protocol ${first?.protocolHash.slice(0, 12) ?? '-'}\n`;
}

async function prepare({ choices, examples, limit, shots = examples === undefined ? 0 : USUAL_SHOTS }: ChoiceOptions & { readonly choices: string }, pipeline: Pipeline): Promise<{ prompts: Prompt[]; protocol: ChoiceProtocol }> {
  const asked = await readQuestions(choices);
  const shown = examples === undefined ? { questions: [], sha256: null } : await readQuestions(examples);
  const questions = everyNth(asked.questions, limit);
  if (questions.length === 0) throw cliError('CLI_USAGE', { what: 'no question is left to ask', fix: 'give --limit 1 or more' });
  const tokenizer = await modelTokenizer(pipeline);
  const encode = (text: string): number[] => tokenizer.encode(text);
  const { maxPositionEmbeddings } = await modelFactsOf(pipeline);
  // The last position of a context is for the token that is decoded.
  const capacity = Math.min(maxPositionEmbeddings, Math.max(...Object.values(pipeline.lock.cells).map(({ cl }) => cl)) - 1);
  const { ids: letters, leadingSpace } = letterTokens(encode);
  const prompts = choicePrompts({ questions, examples: shown.questions, shots, capacity, encode, path: choices });
  return { prompts, protocol: { name: 'mmlu', questionsSha256: asked.sha256, examplesSha256: shown.sha256, shots, questions: prompts.length, letters, leadingSpace, capacity, ...commonFields(pipeline) } };
}

async function readQuestions(path: string): Promise<{ questions: Question[]; sha256: string }> {
  const bytes = await readFile(path).catch((cause: unknown) => {
    throw cliError('CLI_USAGE', { what: 'the file of questions cannot be read', why: messageOf(cause), evidence: { path }, fix: 'give a .csv or .jsonl file', cause });
  });
  return { questions: parseQuestions(bytes, path), sha256: sha256(bytes) };
}
