/** arcl, split and mha2sha on the trained model: results against the untransformed graph, and weight bytes written. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { architectureFor, architectures } from '@tundish/architectures';
import { openCheckpoint } from '@tundish/checkpoint';
import { silentReporter } from '@tundish/diagnostics';
import { adaptCheckpoint, modelFacts } from '@tundish/stages';
import { convertArCl, mhaToSha, splitModel } from '@tundish/transform';
import { ROOT } from '../processes.mjs';
import { logitsOf } from '../run-graphs.mjs';

const folder = join(ROOT, 'models/llama32/checkpoint');
const AR = 128;

export async function transforms(record) {
  const checkpoint = await openCheckpoint(folder, { knownModelTypes: [...architectures.keys()], reporter: silentReporter });
  const { model, adaptation } = adaptCheckpoint(checkpoint, { reporter: silentReporter });
  const facts = modelFacts(checkpoint);
  const sized = convertArCl(model, adaptation.base, { ar: AR, cl: AR + 1 });
  const direct = architectureFor('llama').adapt(checkpoint, { baseAr: AR, baseCl: AR + 1 }).model;
  const ids = Array.from({ length: AR }, (_, i) => (i * 37 + 11) % facts.vocabularySize);
  const run = (models) => logitsOf(models, { ids, facts, folder });
  const whole = await run([sized]);
  const largest = whole.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const difference = async (models) => maxDifference(whole, await run(models));
  record('largest logit of the untransformed graph', largest, '');
  record('arcl against a direct build', await difference([direct]), 'max abs', ['<=', 1e-5]);
  record('split into 2 parts, chained', await difference([1, 2].map((part) => splitModel(sized, part, 2))), 'max abs', ['=', 0]);
  record('mha2sha', (await difference([mhaToSha(sized).model])) / largest, 'max abs / largest logit', ['<=', 1e-5]);
  record('mha2sha, absolute', await difference([mhaToSha(sized).model]), 'max abs');
  record('weight bytes written by arcl and transform', weightBytes(), 'bytes', ['=', 0]);
}

function maxDifference(a, b) {
  return a.reduce((worst, value, i) => Math.max(worst, Math.abs(value - b[i])), 0);
}

/** Outputs of the built model's arcl and transform stages that are neither graphs nor tables. */
function weightBytes() {
  const out = join(ROOT, 'models/llama32/out');
  const manifests = readdirSync(out, { recursive: true }).filter((path) => /(^|\/)(arcl\/[^/]+|transform)\/stage\.json$/.test(path) && statSync(join(out, path)).isFile());
  if (manifests.length === 0) throw new Error('build the model first: npx nx run llama32:compile');
  return manifests.flatMap((path) => JSON.parse(readFileSync(join(out, path), 'utf8')).outputs).filter(({ name }) => !/\.(onnx|json)$/.test(name)).reduce((sum, { size }) => sum + size, 0);
}
