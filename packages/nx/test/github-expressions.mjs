/**
 * What the libraries of GitHub say, in a process of its own: they import JSON in a way that only bundlers and this hook allow.
 * Reads `{workflows, expressions: [{expression, contexts}]}` from stdin; prints the complaints about each workflow, the values of the expressions.
 */
import { readFileSync } from 'node:fs';
import { register } from 'node:module';

const HOOK = `
import { readFile } from 'node:fs/promises';
export async function load(url, context, next) {
  if (!url.endsWith('.json')) return next(url, context);
  return { format: 'module', shortCircuit: true, source: 'export default ' + await readFile(new URL(url), 'utf8') };
}`;
register(`data:text/javascript,${encodeURIComponent(HOOK)}`);
const { NoOperationTraceWriter, convertWorkflowTemplate, parseWorkflow } = await import('@actions/workflow-parser');
const { Evaluator, Lexer, Parser, data } = await import('@actions/expressions');

async function complaintsAbout(content) {
  const { context, value } = parseWorkflow({ name: 'tundish.yml', content }, new NoOperationTraceWriter());
  const template = value === undefined ? undefined : await convertWorkflowTemplate(context, value);
  return [...context.errors.getErrors().map(({ message }) => message), ...(template?.errors ?? []).map(({ Message }) => Message)];
}

/** As in a job that nobody cancelled and before which none failed. */
const STATUS = ['cancelled', 'failure'].map((name) => ({ name, minArgs: 0, maxArgs: 0, call: () => new data.BooleanData(false) }));

function valueOf({ expression, contexts }) {
  const functions = new Map(STATUS.map((status) => [status.name, status]));
  const tree = new Parser(new Lexer(expression).lex().tokens, Object.keys(contexts), STATUS).parse();
  return JSON.parse(JSON.stringify(new Evaluator(tree, JSON.parse(JSON.stringify(contexts), data.reviver), functions).evaluate(), data.replacer));
}

const { workflows = [], expressions = [] } = JSON.parse(readFileSync(0, 'utf8'));
console.log(JSON.stringify({ complaints: await Promise.all(workflows.map(complaintsAbout)), values: expressions.map(valueOf) }));
