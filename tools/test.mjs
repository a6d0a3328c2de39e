/** The whole check, in the order in which failures are cheapest: compile, lint, native build, unit tests, the table of keys, slow tests, end-to-end tests. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const reports = mkdtempSync(join(tmpdir(), 'tundish-test-'));
const counts = { passed: 0, failed: 0, skipped: 0 };
let broken = false;

function step(title, command, args) {
  console.log(`\n== ${title}`);
  const started = performance.now();
  const { status } = spawnSync(command, args, { stdio: 'inherit' });
  console.log(`== ${title}: ${status === 0 ? 'ok' : 'FAILED'} in ${((performance.now() - started) / 1000).toFixed(1)} s`);
  if (status !== 0) broken = true;
  return status === 0;
}

function tests(project) {
  const file = join(reports, `${project}.json`);
  step(`${project} tests`, 'npx', ['vitest', 'run', '--project', project, '--reporter=default', '--reporter=json', `--outputFile=${file}`]);
  try {
    const report = JSON.parse(readFileSync(file, 'utf8'));
    counts.passed += report.numPassedTests;
    counts.failed += report.numFailedTests;
    counts.skipped += report.numPendingTests + report.numTodoTests;
  } catch {
    broken = true;
  }
}

try {
  const compiled = step('compile', 'npx', ['tsc', '-b', 'packages']);
  if (compiled) {
    step('lint', 'npx', ['eslint', '.']);
    step('native kernels', 'node', ['native/build.mjs']);
    tests('unit');
    for (const project of ['keys', 'slow', 'e2e']) if (!broken || process.argv.includes('--keep-going')) tests(project);
  }
} finally {
  rmSync(reports, { recursive: true, force: true });
}
console.log(`\n${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`);
process.exitCode = broken || counts.failed > 0 || counts.passed === 0 ? 1 : 0;
