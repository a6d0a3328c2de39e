/** Rows of the table that `npm run test:keys` prints: a rule, a change, what has to happen and what happened. */
import { type TestContext, expect, test } from 'vitest';

export type Rule = 'must miss' | 'must hit' | 'never stored' | 'never served';

/** What a test leaves for the table. */
export interface Row {
  readonly rule: Rule;
  readonly change: string;
  found: string;
}

declare module 'vitest' {
  interface TaskMeta {
    row?: Row;
  }
}

/** What of the list cannot be tried, and why. */
export const NOT_APPLICABLE: readonly (readonly [change: string, reason: string])[] = [
  ['LoRA alpha', 'no stage reads adapters'],
  ['seed of the calibration', 'windows lie at equal distances; nothing is drawn'],
];

/** One row. @param verify does the change, checks, and returns what the table shows */
export function row(rule: Rule, change: string, verify: () => Promise<string>): void {
  test(`${rule}: ${change}`, async ({ task }: TestContext) => {
    const entry: Row = { rule, change, found: '' };
    task.meta.row = entry;
    entry.found = await verify();
  });
}

/** Compares the stages that ran. @param wanted in the order of the pipeline; none when everything must hit */
export function expectRan(ran: readonly string[], wanted: readonly string[]): string {
  expect(ran).toEqual(wanted);
  return ran.length === 0 ? 'all from the store' : `ran: ${ran.join(', ')}`;
}
