/**
 * `node generate.mjs CONTAINER IDS.json TOKENS RUNS`: greedy generation through the runtime, as one line of JSON: tokens per
 * second of the runs, and the process's peak memory. A short unmeasured run comes first.
 */
import { readFileSync } from 'node:fs';
import { toolchainNamed } from '@tundish/cli';
import { openContainer } from '@tundish/runtime';

const [container, idsFile, tokens, count] = process.argv.slice(2);
const ids = JSON.parse(readFileSync(idsFile, 'utf8'));
const session = await openContainer(container, { toolchain: toolchainNamed, threads: 2 });
await generate(ids.slice(0, ids.length / 2), 4);
const runs = [];
for (let i = 0; i < Number(count); i++) runs.push(await generate(ids, Number(tokens)));
await session.close();
console.log(JSON.stringify({ prefill: runs.map(({ prefillTokensPerSecond }) => prefillTokensPerSecond), decode: runs.map(({ decodeTokensPerSecond }) => decodeTokensPerSecond), rss: process.resourceUsage().maxRSS * 1024 }));

async function generate(prompt, maxTokens) {
  const generation = session.generate({ ids: prompt }, { maxTokens, temperature: 0 });
  let tokens = 0;
  for await (const { id } of generation) if (id !== null) tokens += 1;
  const { stats } = generation;
  if (tokens !== maxTokens) throw new Error(`the generation ended after ${tokens} of ${maxTokens} tokens: ${stats.stopReason}`);
  return stats;
}
