/** The container against the checkpoint on running text, and one question that it must answer. */
import { succeed } from '../processes.mjs';
import { CONTAINER, built } from './model.mjs';

export async function quality(record) {
  await built();
  const { stdout } = await succeed('npx', ['tundish', 'evaluate', 'models/smollm2', '--limit', '6', '--json']);
  const container = JSON.parse(stdout).find(({ subject }) => subject === 'container');
  record('container: perplexity ratio on 6 windows', container.perplexityRatio, 'x', ['<=', 1.4]);
  record('container: mean KL', container.kl.mean, 'nats');
}

export async function answer(record) {
  await built();
  const { stdout } = await succeed('npx', ['tundish', 'generate', CONTAINER, '--chat', '--prompt', 'What is the capital of France?', '--temperature', '0', '--max-tokens', '48', '--json']);
  record('the greedy answer about the capital of France says Paris', Number(JSON.parse(stdout).text.includes('Paris')), '', ['=', 1]);
}
