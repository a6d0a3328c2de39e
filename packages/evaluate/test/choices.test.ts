/** Multiple choice: files, prompts, letters, answers. */
import { describe, expect, it } from 'vitest';
import { type ChoiceProtocol, type LogitSource, type Question, choicePrompts, evaluateChoices, everyNth, formatChoiceTable, letterTokens, parseQuestions } from '../src/index.js';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
/** Characters as tokens, behind a start token. */
const encode = (text: string): number[] => [1, ...[...text].map((c) => c.codePointAt(0) as number)];
const spell = (tokens: ArrayLike<number>): string => String.fromCodePoint(...Array.from(tokens).slice(1));

describe('parseQuestions', () => {
  it('reads the CSV files of MMLU, with quotes and line breaks', () => {
    const csv = 'What is 1 + 1?,1,2,3,4,B\r\n"He said ""yes"",\nthen left.","a, b",b,,d,A\nLast,1,2,3,4,D';
    expect(parseQuestions(bytes(csv), 'data/abstract_algebra_test.csv')).toEqual([
      { line: 1, subject: 'abstract_algebra', question: 'What is 1 + 1?', choices: ['1', '2', '3', '4'], answer: 1 },
      { line: 2, subject: 'abstract_algebra', question: 'He said "yes",\nthen left.', choices: ['a, b', 'b', '', 'd'], answer: 0 },
      { line: 4, subject: 'abstract_algebra', question: 'Last', choices: ['1', '2', '3', '4'], answer: 3 },
    ]);
    expect(parseQuestions(bytes('q,1,2,3,4,C\n'), 'mine.csv')).toMatchObject([{ subject: null, answer: 2 }]);
  });

  it('reads JSONL, answers by letter or index', () => {
    const lines = [{ question: 'q', choices: ['1', '2', '3', '4'], answer: 3 }, { question: 'r', choices: ['1', '2', '3', '4'], answer: 'B', subject: 'law' }];
    expect(parseQuestions(bytes(`${lines.map((line) => JSON.stringify(line)).join('\n')}\n`), 'q.jsonl')).toMatchObject([{ line: 1, subject: null, answer: 3 }, { line: 2, subject: 'law', answer: 1 }]);
  });

  it.each([
    ['q.csv', 'q,1,2,3,4,A\nq,1,2,3,A\n', /has 5 fields, MMLU has 6[^]*q\.csv:2/],
    ['q.csv', 'q,1,2,3,4,A\n\nq,1,2,3,4,A\n', /has 1 field, MMLU has 6[^]*q\.csv:2/],
    ['q.csv', 'q,"1\n2",2,3,4,A\nq,1,2,3,4,E\n', /the answer is "E"[^]*q\.csv:3/],
    ['q.csv', 'q,1,2,3,4,A\n"q,1,2,3,4,A\n', /a quoted field does not end[^]*q\.csv:2/],
    ['q.csv', '"q"x,1,2,3,4,A\n', /something stands behind its last quote[^]*q\.csv:1/],
    ['q.csv', '', /the file holds no question/],
    ['q.txt', 'q,1,2,3,4,A\n', /is \.csv or \.jsonl/],
    ['q.jsonl', '{"question":"q","choices":["1","2","3"],"answer":0}\n', /no list of four strings[^]*q\.jsonl:1/],
    ['q.jsonl', '{"question":"q","choices":["1","2","3","4"],"answer":4}\n', /the answer is 4[^]*q\.jsonl:1/],
    ['q.jsonl', '{"question":"q","choices":["1","2","3","4"],"answer":0}\n[]\n', /no field question[^]*q\.jsonl:2/],
    ['q.jsonl', '{"question":"q","choices":["1","2","3","4"]}\n', /the answer is missing[^]*q\.jsonl:1/],
    ['q.jsonl', '{\n', /not JSON[^]*q\.jsonl:1/],
  ])('refuses a malformed %s with its line', (path, text, message) => {
    expect(() => parseQuestions(bytes(text), path)).toThrow(message);
  });

  it('refuses what is not UTF-8', () => {
    expect(() => parseQuestions(Uint8Array.of(0xff, 0xfe), 'q.csv')).toThrow(/EVALUATE_QUESTIONS_INVALID: the file is not valid UTF-8/);
  });

  it('reads a long quoted field in linear time', () => {
    const long = `"${'""x'.repeat(200_000)}`;
    expect(() => parseQuestions(bytes(long), 'q.csv')).toThrow(/does not end/);
    expect(parseQuestions(bytes(`${long}",1,2,3,4,A\n`), 'q.csv')).toHaveLength(1);
  });
});

const question = (text: string, subject: string | null, answer = 0): Question => ({ line: 1, subject, question: text, choices: ['w', 'x', 'y', 'z'], answer });
const request = { examples: [], shots: 0, capacity: 1000, encode, path: 'q.csv' };

describe('choicePrompts', () => {
  it('writes the prompt of the original MMLU', () => {
    const examples = [question('Other?', 'law', 1), question('First?', 'high_school_physics', 2), question('Second?', 'high_school_physics', 3)];
    const [prompt] = choicePrompts({ ...request, questions: [question('Why?', 'high_school_physics', 1)], examples, shots: 2 });
    expect(spell(prompt?.tokens ?? [])).toBe(
      'The following are multiple choice questions (with answers) about  high school physics.\n\n' +
        'First?\nA. w\nB. x\nC. y\nD. z\nAnswer: C\n\nSecond?\nA. w\nB. x\nC. y\nD. z\nAnswer: D\n\nWhy?\nA. w\nB. x\nC. y\nD. z\nAnswer:',
    );
    expect(prompt).toMatchObject({ answer: 1, shots: 2 });
    expect(spell(choicePrompts({ ...request, questions: [question('Why?', null)] })[0]?.tokens ?? [])).toMatch(/^The following are multiple choice questions \(with answers\)\.\n\nWhy\?\n/);
  });

  it('leaves out the last examples where all do not fit, and refuses a question that does not fit alone', () => {
    const examples = ['1', '2', '3'].map((text) => question(text, null));
    const whole = choicePrompts({ ...request, questions: [question('Why?', null)], examples, shots: 3 })[0]?.tokens.length ?? 0;
    const [shorter] = choicePrompts({ ...request, questions: [question('Why?', null)], examples, shots: 3, capacity: whole - 1 });
    expect(shorter?.shots).toBe(2);
    expect(spell(shorter?.tokens ?? [])).toContain('\n\n2\nA.');
    expect(() => choicePrompts({ ...request, questions: [question('Why?', null)], capacity: 20 })).toThrow(/EVALUATE_QUESTION_TOO_LONG: the question does not fit into 20 tokens[^]*q\.csv:1/);
  });

  it('refuses when the subject has too few examples', () => {
    expect(() => choicePrompts({ ...request, questions: [question('Why?', 'law')], examples: [question('x', 'art')], shots: 1 })).toThrow(/EVALUATE_EXAMPLES_MISSING: 1 examples about law were asked for, 0 are there/);
  });

  it('takes a part at equal distances', () => {
    expect(everyNth([0, 1, 2, 3, 4, 5, 6, 7, 8, 9], 4)).toEqual([0, 2, 5, 7]);
    expect(everyNth([0, 1], 5)).toEqual([0, 1]);
    expect(everyNth([0, 1], undefined)).toEqual([0, 1]);
  });
});

describe('letterTokens', () => {
  it('takes the tokens with the space where there are such, else those without', () => {
    const spaced = (text: string): number[] => [1, ...(text.match(/ [A-D]$|./g) ?? []).map((token) => (token.length === 2 ? 1000 + token.charCodeAt(1) : token.charCodeAt(0)))];
    expect(letterTokens(spaced)).toEqual({ ids: [1065, 1066, 1067, 1068], leadingSpace: true });
    expect(letterTokens(encode)).toEqual({ ids: [65, 66, 67, 68], leadingSpace: false });
    expect(() => letterTokens(() => [1])).toThrow(/EVALUATE_LETTERS/);
  });
});

describe('evaluateChoices', () => {
  const V = 128;
  const letters = [65, 66, 67, 68];
  const protocol: ChoiceProtocol = { name: 'mmlu', questionsSha256: 'a', examplesSha256: null, shots: 0, questions: 4, tokenizerSha256: 'b', teacherSha256: 'c', letters, leadingSpace: false, capacity: 1000, maskValue: -1, kernelProfile: 'test' };
  const prompts = [0, 1, 2, 3].map((answer) => ({ tokens: Int32Array.of(1, 5, 40 + answer), answer, shots: 0 }));
  /** Answers by the last token; the rows before it point elsewhere. */
  const answering = (choose: (n: number) => number): LogitSource => ({
    vocabularySize: V,
    async *score(tokens) {
      for (const token of tokens) {
        const row = new Float32Array(V).fill(9);
        letters.forEach((id, i) => (row[id] = token >= 40 ? Number(i === choose(token - 40)) : Number(i === 3)));
        yield row;
      }
    },
  });

  it('counts right answers, flips and the divergence over the choices', async () => {
    const results = await evaluateChoices({ protocol, prompts, teacher: answering((n) => (n === 3 ? 0 : n)), students: new Map([['same', answering((n) => (n === 3 ? 0 : n))], ['first', answering(() => 0)]]) });
    expect(results[0]).toMatchObject({ subject: 'same', questions: 4, accuracy: 0.75, teacherAccuracy: 0.75, agreement: 1, flips: 0, kl: 0, answers: 'ABCA', shortened: 0 });
    expect(results[0]?.accuracyError).toBeCloseTo(Math.sqrt((0.75 * 0.25) / 3), 14);
    // Two of four answers differ; logits 1 and 0 change places there, which is a KL of (e - 1) / (e + 3).
    expect(results[1]).toMatchObject({ accuracy: 0.25, teacherAccuracy: 0.75, agreement: 0.5, flips: 2, answers: 'AAAA' });
    expect(results[1]?.kl).toBeCloseTo((0.5 * (Math.E - 1)) / (Math.E + 3), 7);
    expect(formatChoiceTable(results)).toMatchInlineSnapshot(`
      "artifact         accuracy  as checkpoint  flips  mean KL of choices (nat)
      same      75.00 % ± 25.00       100.00 %      0                         0
      first     25.00 % ± 25.00        50.00 %      2                     0.150"
    `);
  });

  it('refuses to show results of different questions side by side, and sources that do not answer', async () => {
    const [a] = await evaluateChoices({ protocol, prompts, teacher: answering(() => 0), students: new Map([['a', answering(() => 0)]]) });
    const [b] = await evaluateChoices({ protocol: { ...protocol, shots: 5 }, prompts, teacher: answering(() => 0), students: new Map([['b', answering(() => 0)]]) });
    expect(b?.shortened).toBe(4);
    if (a === undefined || b === undefined) throw new RangeError('no results');
    expect(() => formatChoiceTable([a, b])).toThrow(/why: shots: 0 and 5/);
    const silent: LogitSource = { vocabularySize: V, score: (tokens) => answering(() => 0).score(tokens.subarray(1)) };
    await expect(evaluateChoices({ protocol, prompts, teacher: silent, students: new Map() })).rejects.toMatchObject({ code: 'EVALUATE_ROWS_MISMATCH' });
  });
});
