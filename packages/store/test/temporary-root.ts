/** A folder that the tests of one file share and that is gone after them. */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';

/** @returns makes a new folder inside it at each call */
export function temporaryRoots(): () => string {
  const parent = mkdtempSync(join(tmpdir(), 'tundish-store-'));
  afterAll(() => rmSync(parent, { recursive: true, force: true }));
  return () => mkdtempSync(join(parent, 'r'));
}

/** Every path below a folder, sorted. */
export function listing(folder: string): string[] {
  return (readdirSync(folder, { recursive: true }) as string[]).sort();
}

/** The code of the error that an action throws; fails the test when it throws none. */
export async function codeOf(action: () => unknown): Promise<string> {
  try {
    await action();
  } catch (error) {
    return (error as { code?: string }).code ?? String(error);
  }
  return 'nothing was thrown';
}
