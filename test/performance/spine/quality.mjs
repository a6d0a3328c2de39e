/** Perplexity and divergence of the built model on the token windows of the protocol `mini`. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT, run } from '../processes.mjs';

export async function quality(record) {
  const checkpoint = join(ROOT, 'models/llama32/checkpoint');
  const { code, stdout, stderr } = await run('npx', ['nx', 'run', 'llama32:evaluate', '--json', `--windows=${join(checkpoint, 'protocol.safetensors')}`]);
  if (code !== 0) throw new Error(`evaluate failed:\n${stdout}\n${stderr}`);
  const results = JSON.parse(stdout.slice(stdout.indexOf('[\n'), stdout.lastIndexOf('\n]') + 2));
  const of = (subject) => results.find((result) => result.subject === subject);
  const reference = JSON.parse(readFileSync(join(checkpoint, 'reference.json'), 'utf8')).windows;
  const [load, quantize, container] = ['load', 'quantize', 'container'].map(of);
  record('scored positions', container.positions, 'tokens', ['=', reference.scored]);
  record('load: mean KL against the checkpoint', load.kl.mean, 'nats', ['<=', 1e-9]);
  record('load: perplexity against reference.json', Math.abs(load.perplexity / reference.ppl - 1), 'relative', ['<=', 1e-4]);
  record('quantize: mean KL', quantize.kl.mean, 'nats');
  record('container: mean KL', container.kl.mean, 'nats', ['<=', 0.028]);
  record('container: perplexity ratio', container.perplexityRatio, 'x', ['<=', 1.04]);
  record('container: top-1 agreement', container.top1Agreement, 'share');
}
