/** The prompts of MMLU as token ids: a sentence, the examples with their answers, the question, `Answer:`. */
import { evaluateError } from '../errors.js';
import { LETTERS, type Question } from './question.js';

export interface PromptRequest {
  readonly questions: readonly Question[];
  /** Those of a question's subject are taken, from the first; without a subject they serve every question. */
  readonly examples: readonly Question[];
  /** Examples before each question. */
  readonly shots: number;
  /** Most tokens that every artifact takes; a longer prompt loses examples from the last, as in the original. */
  readonly capacity: number;
  /** Text to ids with what the tokenizer puts in front of a text. */
  readonly encode: (text: string) => readonly number[];
  /** Where the questions come from, for messages. */
  readonly path: string;
}

export interface Prompt {
  readonly tokens: Int32Array;
  /** Index of the right choice. */
  readonly answer: number;
  /** Examples that fitted. */
  readonly shots: number;
}

/**
 * As `evaluate.py` of github.com/hendrycks/test writes them, with its two spaces before the subject.
 *
 * @throws EVALUATE_EXAMPLES_MISSING, EVALUATE_QUESTION_TOO_LONG
 */
export function choicePrompts(request: PromptRequest): Prompt[] {
  return request.questions.map((question) => {
    const examples = examplesFor(question, request);
    for (let shots = request.shots; shots >= 0; shots--) {
      const tokens = request.encode(promptText(question, examples.slice(0, shots)));
      if (tokens.length <= request.capacity) return { tokens: Int32Array.from(tokens), answer: question.answer, shots };
    }
    throw evaluateError('EVALUATE_QUESTION_TOO_LONG', { what: `the question does not fit into ${request.capacity} tokens`, evidence: { path: request.path, line: question.line }, fix: 'build with a larger graphs.cl, or take the question out' });
  });
}

/** `limit` of the items at equal distances, so that a file sorted by subject is seen from end to end. */
export function everyNth<Item>(items: readonly Item[], limit: number | undefined): Item[] {
  const count = Math.min(limit ?? items.length, items.length);
  return Array.from({ length: count }, (_, i) => items[Math.floor((i * items.length) / count)] as Item);
}

export function promptText(question: Question, examples: readonly Question[]): string {
  const about = question.subject === null ? '' : ` about ${question.subject.split('_').map((word) => ` ${word}`).join('')}`;
  const shown = examples.map((example) => `${asked(example)} ${LETTERS[example.answer]}\n\n`).join('');
  return `The following are multiple choice questions (with answers)${about}.\n\n${shown}${asked(question)}`;
}

function asked({ question, choices }: Question): string {
  return `${question}\n${choices.map((choice, i) => `${LETTERS[i]}. ${choice}`).join('\n')}\nAnswer:`;
}

function examplesFor({ subject, line }: Question, { examples, shots, path }: PromptRequest): readonly Question[] {
  const fitting = examples.filter((example) => example.subject === null || example.subject === subject).slice(0, shots);
  if (fitting.length === shots) return fitting;
  throw evaluateError('EVALUATE_EXAMPLES_MISSING', {
    what: `${shots} examples${subject === null ? '' : ` about ${subject}`} were asked for, ${fitting.length} are there`,
    evidence: { path, line },
    fix: 'give --examples FILE with examples of that subject, or fewer --shots',
  });
}
