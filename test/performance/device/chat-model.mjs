/** A real chat model compiled for a phone; the vendor's runtime answers in the emulator, which takes minutes. */
import { join } from 'node:path';
import { ROOT, succeed } from '../processes.mjs';
import { LPBQ, withDevice } from './workspace.mjs';

const QUESTION = 'What is the capital of France?';
const TOKENS = 16;

export async function chatModel(record) {
  await succeed('node', [join(ROOT, 'tools/fetch-smollm2.mjs')]);
  const checkpoint = join(ROOT, 'models/smollm2/checkpoint/SmolLM2-135M-Instruct.Q4_1.gguf');
  const calibration = { text: join(ROOT, 'models/llama32/checkpoint/calibration.txt'), windows: 10, windowLength: 512 };
  await withDevice({ graphs: { ar: [1, 32], cl: [512], parts: 2 }, quantize: { recipe: 'minmax', weights: LPBQ, calibration } }, async (device) => {
    const { units, container } = await device.build();
    record('SmolLM2: compile of 2 parts', units.filter(({ stage }) => stage === 'compile').reduce((sum, { seconds }) => sum + seconds, 0), 's');
    record('SmolLM2: container', container.bytes / 1e6, 'MB');
    const answer = async (place) => JSON.parse((await device.tundish('generate', '--model', device.model, '--on', place, '--chat', '--prompt', QUESTION, '--max-tokens', `${TOKENS}`, '--json')).stdout);
    const genie = await answer('genie');
    const ours = await answer('emulator');
    console.error(`${QUESTION} ${genie.text}`);
    record('SmolLM2: tokens of the answer that are ours', genie.ids.filter((id, i) => id === ours.ids[i]).length, 'tokens', ['=', ours.ids.length]);
    record('SmolLM2: the answer names Paris', Number(/Paris/.test(genie.text)), '', ['=', 1]);
    record('SmolLM2: generation in the emulator', genie.stats.decodeTokensPerSecond, 'tokens/s');
  }, { checkpoint });
}
