/** Reads multiple-choice questions: MMLU's own CSV files, or JSONL with the fields of its later editions. */
import { printable } from '@tundish/diagnostics';
import { evaluateError } from '../errors.js';
import { csvRecords } from './csv.js';
import { LETTERS, type Question } from './question.js';

/**
 * `.csv`: `question,A,B,C,D,answer` without a header, the subject by the name of the file (`abstract_algebra_test.csv`).
 * `.jsonl`: `question`, `choices` (four), `answer` (a letter, or an index from 0) and, if there is one, `subject`.
 *
 * @param path decides the format, and stands in messages
 * @throws EVALUATE_QUESTIONS_INVALID with the line
 */
export function parseQuestions(bytes: Uint8Array, path: string): Question[] {
  const refuse: Refuse = (line, what, fix) => evaluateError('EVALUATE_QUESTIONS_INVALID', { what, evidence: { path, ...(line === undefined ? {} : { line }) }, ...(fix === undefined ? {} : { fix }) });
  const text = decoded(bytes, refuse);
  const kind = /\.(csv|jsonl)$/i.exec(path)?.[1]?.toLowerCase();
  if (kind === undefined) throw refuse(undefined, 'a file of questions is .csv or .jsonl', 'rename it to what it is');
  const questions = kind === 'csv' ? [...questionsOfCsv(text, path, refuse)] : [...questionsOfJsonl(text, refuse)];
  if (questions.length === 0) throw refuse(undefined, 'the file holds no question');
  return questions;
}

type Refuse = (line: number | undefined, what: string, fix?: string) => Error;

function decoded(bytes: Uint8Array, refuse: Refuse): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw refuse(undefined, 'the file is not valid UTF-8', 'convert it: iconv -t UTF-8');
  }
}

function* questionsOfCsv(text: string, path: string, refuse: Refuse): Generator<Question> {
  const subject = /([^/\\]+)_(?:test|dev|val)\.csv$/i.exec(path)?.[1] ?? null;
  for (const { line, fields } of csvRecords(text, refuse)) {
    if (fields.length !== 6) throw refuse(line, `the record has ${fields.length} ${fields.length === 1 ? 'field' : 'fields'}, MMLU has 6`, 'write question,A,B,C,D,answer; quote a field that holds a comma, a quote or a line break');
    const [question = '', ...rest] = fields;
    const [answer = '', choices] = [rest[4], rest.slice(0, 4)];
    yield { line, subject, question, choices, answer: indexOfAnswer(answer, line, refuse) };
  }
}

function* questionsOfJsonl(text: string, refuse: Refuse): Generator<Question> {
  const lines = text.split('\n');
  if (lines.at(-1) === '') lines.pop();
  for (const [index, source] of lines.entries()) {
    const line = index + 1;
    let value: unknown;
    try {
      value = JSON.parse(source);
    } catch {
      throw refuse(line, source.trim() === '' ? 'the line is empty' : `the line is not JSON: ${printable(source, 60)}`, 'write one JSON object a line');
    }
    yield questionOf(value, line, refuse);
  }
}

function questionOf(value: unknown, line: number, refuse: Refuse): Question {
  const { question, choices, answer, subject } = (typeof value === 'object' && value !== null ? value : {}) as Readonly<Record<string, unknown>>;
  if (typeof question !== 'string') throw refuse(line, 'the line has no field question with a string', 'write {"question": "...", "choices": ["...", "...", "...", "..."], "answer": 0}');
  if (!Array.isArray(choices) || choices.length !== LETTERS.length || choices.some((choice) => typeof choice !== 'string')) throw refuse(line, 'the field choices is no list of four strings');
  if (subject !== undefined && typeof subject !== 'string') throw refuse(line, 'the field subject is no string');
  return { line, subject: subject === undefined || subject === '' ? null : subject, question, choices: choices as string[], answer: indexOfAnswer(answer, line, refuse) };
}

function indexOfAnswer(answer: unknown, line: number, refuse: Refuse): number {
  const index = typeof answer === 'string' ? LETTERS.findIndex((letter) => letter === answer.trim()) : answer;
  if (typeof index === 'number' && Number.isInteger(index) && index >= 0 && index < LETTERS.length) return index;
  throw refuse(line, `the answer is ${printable(JSON.stringify(answer) ?? 'missing', 40)}`, 'write one of A, B, C, D; in JSONL also 0 to 3');
}
