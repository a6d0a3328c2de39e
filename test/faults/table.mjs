/** The table that a run of the fault tests prints: one row a case, as soon as it is known. */

const rows = [];

/**
 * Runs a case and prints its row. A case gives `faults` (none: ok) and `found`, or `skipped` with the reason.
 */
export async function record(what, run) {
  const started = performance.now();
  const row = await run().catch((error) => ({ faults: [error instanceof Error ? error.stack : String(error)], found: '' }));
  const verdict = row.skipped !== undefined ? 'skip' : row.faults.length === 0 ? 'ok' : 'FAIL';
  rows.push(verdict);
  console.log(`${verdict.padEnd(5)}${what.padEnd(68)}${((performance.now() - started) / 1000).toFixed(1).padStart(6)} s  ${row.skipped ?? row.found}`);
  for (const fault of (row.faults ?? []).slice(0, 12)) console.log(`       ${fault}`);
}

/** Prints the counts. @returns whether every case is as it must be */
export function closeTable() {
  const of = (verdict) => rows.filter((row) => row === verdict).length;
  console.log(`\nfaults: ${of('ok')} ok, ${of('FAIL')} failed, ${of('skip')} skipped`);
  return of('FAIL') === 0 && of('ok') > 0;
}
