/**
 * `node generate.mjs MODEL.gguf IDS.json TOKENS`: greedy generation through node-llama-cpp, as one line of JSON: tokens per
 * second. A short unmeasured run comes first, as in ../generate.mjs, and time to the first token counts as prefill there too.
 */
import { readFileSync } from 'node:fs';
import { LlamaLogLevel, getLlama } from 'node-llama-cpp';

const [modelPath, idsFile, tokens] = process.argv.slice(2);
const ids = JSON.parse(readFileSync(idsFile, 'utf8'));
const llama = await getLlama({ gpu: false, build: 'never', skipDownload: true, progressLogs: false, maxThreads: 2, logLevel: LlamaLogLevel.error });
const model = await llama.loadModel({ modelPath });
const context = await model.createContext({ contextSize: 1024, batchSize: 512, threads: { ideal: 2, min: 2 } });
const sequence = context.getSequence();
await generate(ids.slice(0, ids.length / 2), 4);
await sequence.clearHistory();
const { prefill, decode } = await generate(ids, Number(tokens));
console.log(JSON.stringify({ prefill, decode, rss: process.resourceUsage().maxRSS * 1024 }));
await llama.dispose();

async function generate(prompt, maxTokens) {
  const started = performance.now();
  let first = started;
  let last = started;
  let count = 0;
  const generation = sequence.evaluate(prompt, { temperature: 0 });
  while (count < maxTokens && (await generation.next()).done !== true) {
    last = performance.now();
    if (count === 0) first = last;
    count += 1;
  }
  await generation.return();
  if (count !== maxTokens) throw new Error(`the generation ended after ${count} of ${maxTokens} tokens`);
  return { prefill: (1000 * prompt.length) / (first - started), decode: (1000 * (count - 1)) / (last - first) };
}
