/** Greedy tokens of the vendor's runtime against those of our runner, over cuts and context lengths. */
import { LPBQ, withDevice } from './workspace.mjs';

/** The last one needs the larger context before it ends. */
const PROMPTS = ['And God said', 'In the beginning of the reign of the king', 'And it came to pass in those days, that he went out into a mountain to pray. '.repeat(9).trim()];
const TOKENS = 100;
const GRIDS = [{ cl: [512], parts: 1 }, { cl: [512], parts: 2 }, { cl: [256, 512], parts: 1 }, { cl: [256, 512], parts: 2 }];

export async function genieTokens(record) {
  for (const grid of GRIDS) {
    await withDevice({ graphs: { ar: [1, 32], ...grid }, quantize: { recipe: 'minmax', weights: LPBQ } }, async (device) => {
      await device.build();
      const { stdout } = await device.tundish('accept', device.model, '--json', '--max-tokens', `${TOKENS}`, ...PROMPTS.flatMap((prompt) => ['--prompt', prompt]));
      const { prompts, findings } = JSON.parse(stdout);
      const title = `CL ${grid.cl.join(' and ')}, ${grid.parts} part${grid.parts === 1 ? '' : 's'}`;
      record(`${title}: tokens equal`, sum(prompts.map(({ equal }) => equal)), 'tokens', ['=', sum(prompts.map(({ tokens }) => tokens))]);
      record(`${title}: tokens compared`, sum(prompts.map(({ tokens }) => tokens)), 'tokens', ['=', PROMPTS.length * TOKENS]);
      record(`${title}: findings of the lint`, findings.length, 'findings', ['=', 0]);
    });
  }
}

function sum(numbers) {
  return numbers.reduce((total, number) => total + number, 0);
}
