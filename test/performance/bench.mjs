/** `npm run bench -- NAME [--json] [--only WORD]`: measures one group of figures and holds each against its bar. */
import { existsSync, readdirSync } from 'node:fs';

const names = readdirSync(new URL('.', import.meta.url)).filter((name) => existsSync(new URL(`${name}/index.mjs`, import.meta.url)));
const [name, ...flags] = process.argv.slice(2);
if (!names.includes(name)) {
  console.error(`usage: npm run bench -- NAME [--json] [--only WORD]\nknown names: ${names.join(', ')}`);
  process.exit(2);
}
const json = flags.includes('--json');
const only = flags.includes('--only') ? flags[flags.indexOf('--only') + 1] : undefined;
const { measurements, atBothEnds } = await import(`./${name}/index.mjs`);
const chosen = Object.entries(measurements).filter(([title]) => only === undefined || title.includes(only));
if (chosen.length === 0) {
  console.error(`nothing of ${name} is called ${only}: ${Object.keys(measurements).join(', ')}`);
  process.exit(2);
}

const rows = [];
/** Adds one figure. `bar` is `[comparison, number]`, for example `['<=', 1e-4]`, or undefined for a figure that is only reported. */
function record(what, value, unit, bar) {
  const ok = bar === undefined || (bar[0] === '<=' ? value <= bar[1] : bar[0] === '>=' ? value >= bar[1] : value === bar[1]);
  const row = { what, value, unit, bar: bar === undefined ? null : `${bar[0]} ${bar[1]}`, ok };
  rows.push(row);
  if (!json) console.log(`${ok ? 'ok  ' : 'MISS'}  ${what}: ${show(value)} ${unit}${row.bar === null ? '' : `  (bar ${row.bar})`}`);
}

function show(value) {
  if (value === 0 || Number.isInteger(value)) return String(value);
  return Math.abs(value) < 1e-3 ? value.toExponential(2) : value.toFixed(4);
}

const ends = (moment) => (atBothEnds === undefined ? [] : [[`machine ${moment}`, () => atBothEnds(record, moment)]]);
for (const [title, measure] of [...ends('before'), ...chosen, ...ends('after')]) {
  if (!json) console.log(`\n== ${title}`);
  try {
    await measure(record);
  } catch (error) {
    // A group that cannot be measured is a miss, and the others are still measured.
    rows.push({ what: `${title}: not measured`, value: null, unit: '', bar: null, ok: false });
    console.error(error instanceof Error ? error.message : error);
  }
}
if (json) console.log(JSON.stringify(rows, null, 2));
process.exitCode = rows.every((row) => row.ok) ? 0 : 1;
