/** Builds a model without Nx: `node build.mjs models/llama32`. The page is programmatic.md. */
import { programSetup } from '@tundish/cli';
import { buildModel, lockModel, materializeContainer, runStage, unitName } from '@tundish/stages';

const [modelRoot = 'models/llama32'] = process.argv.slice(2);
const request = { ...programSetup(process.cwd()), modelRoot };

await lockModel(request);
const quantized = await runStage({ ...request, stage: 'quantize' });
console.log(`quantize: ${quantized.status}, ${quantized.bytesWritten} bytes written`);

for (const { unit, status } of await buildModel(request)) console.log(`${unitName(unit)}: ${status}`);
const { folder } = await materializeContainer(request);
console.log(`container: ${folder}`);
