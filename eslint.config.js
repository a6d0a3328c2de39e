/** Lint rules: TypeScript strictness, and the direction of imports between packages (docs/architecture.md). */
import eslint from '@eslint/js';
import tseslint from 'typescript-eslint';

/** Which packages each package may import; anything else of @tundish is an error. */
const MAY_IMPORT = {
  diagnostics: [],
  store: ['diagnostics'],
  recipe: ['diagnostics', 'store'],
  remote: ['diagnostics', 'store'],
  checkpoint: ['diagnostics', 'store'],
  tokenizer: ['diagnostics'],
  graph: ['diagnostics'],
  container: ['diagnostics', 'store'],
  architectures: ['diagnostics', 'checkpoint', 'graph'],
  native: ['diagnostics'],
  quantize: ['diagnostics', 'store', 'recipe', 'graph', 'checkpoint', 'toolchain', 'native'],
  transform: ['diagnostics', 'graph'],
  evaluate: ['diagnostics', 'store'],
  toolchain: ['diagnostics', 'graph', 'container'],
  'toolchain-host': ['native', 'diagnostics', 'graph', 'toolchain'],
  'toolchain-qairt': ['native', 'diagnostics', 'graph', 'toolchain', 'recipe', 'container'],
  stages: ['diagnostics', 'store', 'recipe', 'checkpoint', 'tokenizer', 'graph', 'architectures', 'native', 'quantize', 'transform', 'toolchain', 'container', 'evaluate'],
  runtime: ['diagnostics', 'store', 'container', 'toolchain', 'toolchain-host', 'tokenizer'],
  'cache-server': ['diagnostics', 'store'],
  cli: ['diagnostics', 'store', 'remote', 'recipe', 'stages', 'runtime', 'evaluate', 'toolchain-host', 'toolchain-qairt', 'toolchain', 'checkpoint', 'graph', 'tokenizer', 'container', 'architectures', 'transform', 'quantize', 'native'],
  nx: ['diagnostics', 'store', 'remote', 'recipe', 'stages', 'runtime', 'evaluate', 'container', 'tokenizer', 'cli'],
};
const SURFACES = ['cli', 'nx'];
const ALL = Object.keys(MAY_IMPORT);

function layerRules(name) {
  const folder = name === 'native' ? 'native/ts' : `packages/${name}/src`;
  const banned = ALL.filter((other) => other !== name && !MAY_IMPORT[name].includes(other)).flatMap((other) => [`@tundish/${other}`, `@tundish/${other}/*`]);
  const patterns = [{ group: banned, message: `${name} may import only: ${MAY_IMPORT[name].join(', ') || 'nothing of ours'}` }];
  if (name !== 'nx') patterns.push({ group: ['nx', 'nx/*', '@nx/*'], message: 'only the plugin knows Nx' });
  if (name !== 'toolchain-host') patterns.push({ group: ['onnxruntime-node', 'onnxruntime-common'], message: 'only the host toolchain knows ONNX Runtime' });
  if (name !== 'cli') patterns.push({ group: ['execa'], message: 'programs are started by toolchain-qairt, export, deploy and, for Nx, cli' });
  const rules = { 'no-restricted-imports': ['error', { patterns: patterns.filter((p) => p.group.length > 0) }] };
  if (!SURFACES.includes(name)) {
    rules['no-console'] = 'error';
    rules['no-restricted-properties'] = ['error', { object: 'process', property: 'env', message: 'only surfaces read the environment' }];
  }
  return { files: [`${folder}/**/*.ts`], rules };
}

export default tseslint.config(
  { ignores: ['**/dist/**', '**/node_modules/**', '.nx/**', '.tundish/**', 'native/build/**', 'packages/graph/src/onnx_pb.ts', 'test-output/**', 'models/**'] },
  eslint.configs.recommended,
  ...tseslint.configs.strict,
  {
    languageOptions: { globals: { process: 'readonly', console: 'readonly', Buffer: 'readonly', URL: 'readonly', performance: 'readonly', setTimeout: 'readonly', clearTimeout: 'readonly', setInterval: 'readonly', clearInterval: 'readonly', AbortController: 'readonly', AbortSignal: 'readonly', TextDecoder: 'readonly', TextEncoder: 'readonly', structuredClone: 'readonly', fetch: 'readonly' } },
    rules: {
      eqeqeq: 'error',
      'max-lines': ['error', { max: 300 }],
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_' }],
      '@typescript-eslint/unified-signatures': 'off',
    },
  },
  {
    files: ['packages/{quantize,graph,evaluate,toolchain,toolchain-host,toolchain-qairt,runtime,checkpoint}/src/**/*.ts', 'native/ts/**/*.ts'],
    rules: { 'no-restricted-syntax': ['error', { selector: "CallExpression[callee.object.name='Math'][callee.property.name='round']", message: 'Math.round is not half-to-even' }] },
  },
  ...ALL.map(layerRules),
);
