/** Prints the rows of the key tests as a table, and last the two numbers that count. */
import type { Reporter, TestCase, TestModule, TestRunEndReason } from 'vitest/node';
import { NOT_APPLICABLE, type Rule } from './row.js';

const RULES: readonly Rule[] = ['must miss', 'must hit', 'never stored', 'never served'];

export default class TableReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], errors: readonly unknown[], _reason: TestRunEndReason): void {
    const tests = modules.flatMap((module) => [...module.children.allTests()]);
    const rows = RULES.flatMap((rule) => tests.filter((test) => test.meta().row?.rule === rule));
    const width = Math.max(...rows.map((test) => test.meta().row?.change.length ?? 0), ...NOT_APPLICABLE.map(([change]) => change.length));
    for (const test of rows) {
      const { rule, change, found } = test.meta().row ?? { rule: '', change: '', found: '' };
      print(`${rule.padEnd(14)}${change.padEnd(width + 2)}${passed(test) ? 'true ' : 'FALSE'}  ${found}`);
    }
    for (const [change, reason] of NOT_APPLICABLE) print(`${'-'.padEnd(14)}${change.padEnd(width + 2)}not applicable: ${reason}`);
    for (const test of tests.filter((one) => !passed(one))) print(`\nFAILED ${test.fullName}\n${faultsOf(test)}`);
    for (const module of modules) for (const fault of module.errors()) print(`\nFAILED ${module.moduleId}\n${fault.stack ?? fault.message}`);
    for (const error of errors) print(String(error));
    const count = (...rules: readonly Rule[]): string => {
      const of = rows.filter((test) => rules.includes(test.meta().row?.rule as Rule));
      return `${of.filter(passed).length}/${of.length}`;
    };
    print(`\nnever stored ${count('never stored')}, never served ${count('never served')}`);
    print(`must-miss ${count('must miss')}, must-hit ${count('must hit')}`);
  }
}

function passed(test: TestCase): boolean {
  return test.result().state === 'passed';
}

function faultsOf(test: TestCase): string {
  return (test.result().errors ?? []).map((error) => error.diff ?? error.stack ?? error.message).join('\n');
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
