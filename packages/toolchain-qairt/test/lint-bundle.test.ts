/** The lint of bundles: a clean one passes, and each rule finds the bundle that breaks it, and no other rule does. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import type { Bundle, BundleGraph, BundleTensor } from '../src/genie/bundle.js';
import type { InspectedTensor } from '../src/genie/inspected-binary.js';
import { bundleBinary } from '../src/genie/inspected-binary.js';
import { BUNDLE_RULES, lintBundle } from '../src/genie/lint/lint-bundle.js';
import { BOUNDARY, sampleBundle, sampleGraph, samplePlan } from './sample-bundle.js';

type Writable<T> = { -readonly [K in keyof T]: T[K] extends (infer U)[] | readonly (infer U)[] ? Writable<U>[] : T[K] extends object ? Writable<T[K]> : T[K] };
type GraphChange = (graph: Writable<BundleGraph>, part: number) => void;
type Json = Record<string, unknown>;

const CONFIG = 'genie_config.json';
const POSITIONS = 'dialog.engine.model.positional-encoding';
const EXTENSIONS = 'htp_backend_ext_config.json';
const [FIRST, SECOND] = ['mini-llama_part_1_of_2.bin', 'mini-llama_part_2_of_2.bin'];
const CLEAN = sampleBundle();

const codes = (bundle: Bundle): string[] => [...new Set(lintBundle(bundle).map(({ code }) => code))];
const withText = (name: string, text: string | undefined, bundle = CLEAN): Bundle => ({ ...bundle, texts: new Map([...bundle.texts, ...(text === undefined ? [] : [[name, text] as const])].filter(([key]) => text !== undefined || key !== name)) });
const withFile = (name: string, size: number | undefined, bundle = CLEAN): Bundle => ({ ...bundle, files: new Map([...bundle.files, [name, size ?? 0] as const].filter(([key]) => size !== undefined || key !== name)) });

function withJson(name: string, change: (data: Json) => void, bundle = CLEAN): Bundle {
  const data = JSON.parse(bundle.texts.get(name) ?? '') as Json;
  change(data);
  return withText(name, JSON.stringify(data), bundle);
}

/** The configuration with a value at a path of keys; undefined takes it out, as JSON does. */
function withConfig(path: string, value: unknown, bundle = CLEAN): Bundle {
  return withJson(CONFIG, (config) => {
    const keys = path.split('.');
    const last = keys.pop() as string;
    const holder = keys.reduce((inner, key) => inner[key] as Json, config);
    holder[last] = value;
  }, bundle);
}

function withGraphs(change: GraphChange, bundle = CLEAN): Bundle {
  const binaries = structuredClone(bundle.binaries) as Map<string, { socModel: number; graphs: Writable<BundleGraph>[] }>;
  [...binaries.values()].forEach(({ graphs }, index) => graphs.forEach((graph) => change(graph, index + 1)));
  return { ...bundle, binaries };
}

const tensors = (graph: Writable<BundleGraph>): Writable<BundleTensor>[] => [...graph.inputs, ...graph.outputs];
const onTensor = (name: RegExp, change: (tensor: Writable<BundleTensor>, graph: Writable<BundleGraph>) => void) => (graph: Writable<BundleGraph>): void => tensors(graph).filter((tensor) => name.test(tensor.name)).forEach((tensor) => change(tensor, graph));
const only = (graphName: RegExp, change: GraphChange): GraphChange => (graph, part) => { if (graphName.test(graph.name)) change(graph, part); };
const rename = (from: string, to: string): GraphChange => onTensor(new RegExp(`^${from}$`), (tensor) => { tensor.name = to; });
const encoding = (name: RegExp, change: { scale?: number; zeroPoint?: number }): GraphChange => onTensor(name, (tensor) => { Object.assign(tensor.quantization as object, change); });

/** Weights of an adapter in both parts, and the configuration and files that go with them. */
function withLora(change: { alpha?: number[]; alphaName?: string; size?: number; inputs?: boolean } = {}): Bundle {
  const { alpha = [1, 1, 1, 1], alphaName = 'lora_alpha', size = 4 * 256 * 8, inputs = true } = change;
  const added: Writable<BundleTensor>[] = [{ name: 'lora_a_0', dtype: 'uint8', shape: [1, 1, 256, 8], quantization: { scale: 1, zeroPoint: 128 } }, { name: 'lora_alpha', dtype: 'uint16', shape: alpha, quantization: { scale: 1, zeroPoint: 0 } }];
  const lora = { version: 1, 'lora-version': 1, 'alpha-tensor-name': alphaName, adapters: [{ version: 1, name: 'a1', path: 'adapters/a1' }] };
  const graphs = inputs ? withGraphs((graph) => { graph.inputs.push(...structuredClone(added)); }) : CLEAN;
  return withFile('adapters/a1/lora_a_0.raw', size, withConfig('dialog.engine.model.binary.lora', lora, graphs));
}

/** The sample with CL 64 in place of 512: twice its AR of 32. */
function twice(): Bundle {
  const plan = samplePlan();
  const cells = [1, 32].flatMap((ar) => [64, 256].map((cl) => ({ ar, cl })));
  const parts = [cells.map((cell) => sampleGraph({ ...cell, part: 1, parts: 2, layers: [0, 1], gives: BOUNDARY })), cells.map((cell) => sampleGraph({ ...cell, part: 2, parts: 2, layers: [2, 3], takes: BOUNDARY }))];
  return sampleBundle({ ...plan, parts: plan.parts.map((part, index) => ({ ...part, graphs: parts[index] as BundleGraph[] })) });
}

const BREAKS: readonly (readonly [code: string, what: string, bundle: Bundle, says: RegExp])[] = [
  ['GENIE_CONFIG_JSON', 'text that is not JSON', withText(CONFIG, '{"dialog": '), /not JSON/],
  ['GENIE_CONFIG_JSON', 'no configuration', withText(CONFIG, undefined), /missing/],
  ['GENIE_CONFIG_SCHEMA', 'an unknown key', withConfig('dialog.engine.colour', 'red'), /dialog\.engine: [^]*colour/],
  ['GENIE_CONFIG_SCHEMA', 'a required key missing', withConfig('dialog.engine.backend.QnnHtp.poll', undefined), /QnnHtp\.poll/],
  ['GENIE_CONFIG_SCHEMA', 'a version in positional-encoding', withConfig('dialog.engine.model.positional-encoding.version', 1), /positional-encoding/],
  ['GENIE_SAMPLER', 'no sampler', withConfig('dialog.sampler', undefined), /sampler is missing/],
  ['GENIE_KV_DIM', 'no kv-dim', withConfig('dialog.engine.backend.QnnHtp.kv-dim', undefined), /missing/],
  ['GENIE_KV_DIM', 'another kv-dim', withConfig('dialog.engine.backend.QnnHtp.kv-dim', 64), /64, the cache has heads of 32/],
  ['GENIE_VOCABULARY', 'another vocabulary', withConfig('dialog.context.n-vocab', 4000), /4000, the graphs give 4096/],
  ['GENIE_TOKEN', 'an end token outside', withConfig('dialog.context.eos-token', [1, 4096]), /eos-token\[1\] is 4096/],
  ['GENIE_CONTEXT_SIZE', 'a context above all graphs', withConfig('dialog.context.size', 1024), /1024, the largest graph has 512/],
  ['GENIE_CONTEXT_SIZE', 'a context of nothing', withConfig('dialog.context.size', 0), /context\.size is 0/],
  ['GENIE_ROPE_WIDTH', 'another rope-dim', withConfig('dialog.engine.model.positional-encoding.rope-dim', 32), /32 rotary pairs, the graphs take 16/],
  ['GENIE_ROPE_WIDTH', 'neither rope-dim nor pos-id-dim', withConfig('dialog.engine.model.positional-encoding', undefined), /64 rotary pairs/],
  ['GENIE_ROPE_SCALING', 'llama3 without its factors', withConfig(`${POSITIONS}.rope-scaling`, { 'rope-type': 'llama3', factor: 8 }), /type llama3 has no low-freq-factor/],
  ['GENIE_ROPE_SCALING', 'longrope lists of another length', withConfig(`${POSITIONS}.rope-scaling`, { 'rope-type': 'longrope', factor: 2, 'short-factor': [1], 'long-factor': Array(16).fill(1), 'original-max-position-embeddings': 256 }), /unusable short-factor[^]*list of 16/],
  ['GENIE_ROPE_SCALING', 'a factor below 0', withConfig(`${POSITIONS}.rope-scaling`, { 'rope-type': 'linear', factor: -1 }), /unusable factor/],
  ['GENIE_TOKENIZER_MISSING', 'no tokenizer', withFile('tokenizer.json', undefined), /tokenizer\.json is missing/],
  ['GENIE_BINARY_MISSING', 'a part missing', { ...withFile(SECOND, undefined), binaries: new Map([...CLEAN.binaries].slice(0, 1)) }, /part_2_of_2\.bin is missing/],
  ['GENIE_BINARY_MISSING', 'no part at all', withConfig('dialog.engine.model.binary.ctx-bins', []), /names no context binary/],
  ['GENIE_BINARY_SIZE', 'an empty part', withFile(FIRST, 0), /has 0 bytes/],
  ['GENIE_BINARY_SIZE', 'a part above 2 GiB', withFile(FIRST, 2 ** 31 + 1), /more parts/],
  ['GENIE_EXTENSIONS', 'no extensions file', withFile(EXTENSIONS, undefined, withText(EXTENSIONS, undefined)), /is missing/],
  ['GENIE_EXTENSIONS', 'extensions that are a list', withText(EXTENSIONS, '[]'), /not a JSON object/],
  ['GENIE_CHIP', 'parts for two chips', { ...CLEAN, binaries: new Map([...CLEAN.binaries].map(([file, binary], index) => [file, { ...binary, socModel: index === 0 ? 69 : 57 }])) }, /for SoC 57/],
  ['GENIE_CHIP', 'extensions for another chip', withJson(EXTENSIONS, (data) => { (data['devices'] as Json[])[0] = { soc_model: 57 }; }), /names SoC 57, the binaries are for 69/],
  ['GENIE_CHIP', 'extensions for another version', withJson(EXTENSIONS, (data) => { ((data['devices'] as Json[])[0] as Json)['dsp_arch'] = 'v75'; }), /names v75, SoC 69 is v79/],
  ['GENIE_GRAPH_NAME', 'a name that is not of this form', withGraphs(only(/ar1_cl256_1/, (graph) => { graph.name = 'foo'; })), /foo is AR 1, CL 256, part 1 of 2/],
  ['GENIE_GRAPH_NAME', 'a name of other shapes', withGraphs(only(/ar1_cl256_1/, (graph) => { graph.name = 'ar1_cl1024_1_of_2'; })), /AR 1, CL 256/],
  ['GENIE_GRID', 'a graph missing in one part', { ...CLEAN, binaries: new Map([...CLEAN.binaries].map(([file, binary]) => [file, file === SECOND ? { ...binary, graphs: binary.graphs.slice(1) } : binary])) }, /no AR 1 CL 256/],
  ['GENIE_CL_TWICE_AR', 'CL 64 with AR 32', twice(), /CL 64, twice its AR 32/],
  ['GENIE_TENSOR_NAME', 'no logits', withGraphs(rename('logits', 'scores')), /no output logits/],
  ['GENIE_TENSOR_NAME', 'no sin', withGraphs((graph) => { graph.inputs = graph.inputs.filter(({ name }) => name !== 'position_ids_sin'); }), /no input position_ids_sin/],
  ['GENIE_INPUT_UNFILLED', 'weights of an adapter without lora in their names', withGraphs((graph) => { graph.inputs.push({ name: 'adp_a_0', dtype: 'uint8', shape: [1, 1, 256, 8] }); }), /nothing fills the input adp_a_0/],
  ['GENIE_INPUT_UNFILLED', 'a part that takes what nobody gives', withGraphs((graph, part) => { if (part === 2) rename(BOUNDARY, 'hidden')(graph, part); }), /nothing fills the input hidden/],
  ['GENIE_SHAPE', 'a past as long as the context', withGraphs(only(/ar1_cl256_1/, onTensor(/^past_key_0_in$/, (tensor) => { tensor.shape = [2, 1, 32, 256]; }))), /past_key_0_in of ar1_cl256_1_of_2 is \[2, 1, 32, 256\] where \[2, 1, 32, 255\]/],
  ['GENIE_SHAPE', 'keys that are not transposed', withGraphs(only(/ar32_cl256_1/, onTensor(/^past_key_1_out$/, (tensor) => { tensor.shape = [1, 2, 32, 32]; }))), /past_key_1_out/],
  ['GENIE_SHAPE', 'one row of logits', withGraphs(only(/ar32_cl256_2/, onTensor(/^logits$/, (tensor) => { tensor.shape = [1, 1, 4096]; }))), /logits/],
  ['GENIE_BOUNDARY', 'another scale behind the cut', withGraphs((graph, part) => { if (part === 2) encoding(new RegExp(BOUNDARY), { scale: 0.5 })(graph, part); }), /part 1 gives uint16 scale 0\.00217/],
  ['GENIE_MASK_ENCODING', 'a mask whose visible code is not 0', withGraphs(encoding(/^attention_mask$/, { zeroPoint: 65534 })), /zero point 65534/],
  ['GENIE_MASK_ENCODING', 'a mask that hardly masks', withGraphs(encoding(/^attention_mask$/, { scale: 49 / 65535 })), /scale/],
  ['GENIE_KV_NAME', 'layers that begin anew in the second part', withGraphs((graph, part) => { if (part === 2) for (const tensor of tensors(graph)) tensor.name = tensor.name.replace(/_2_(in|out)/, '_0_$1').replace(/_3_(in|out)/, '_1_$1'); }), /layers 0 1 where 2/],
  ['GENIE_KV_NAME', 'a name of another form', withGraphs(only(/ar1_cl256_1/, rename('past_key_0_out', 'past_key_0'))), /past_key_0 of ar1_cl256_1_of_2 is no name of a cache output/],
  ['GENIE_KV_NAME', 'a value without a result', withGraphs((graph) => { graph.outputs = graph.outputs.filter(({ name }) => name !== 'past_value_0_out'); }), /lacks past_value_0_out/],
  ['GENIE_KV_TIED', 'another scale on the way out', withGraphs(encoding(/^past_value_1_out$/, { scale: 0.25 })), /past_value_1_out is uint8 scale 0\.25/],
  ['GENIE_KV_ZERO_POINT', 'zero point 100', withGraphs(encoding(/^past_key_1_(in|out)$/, { zeroPoint: 100 })), /filled with 128/],
  ['GENIE_KV_SHARED', 'another scale in one graph', withGraphs(only(/ar32_cl512_1/, encoding(/^past_key_0_(in|out)$/, { scale: 0.5 }))), /scale 0\.5 [^]*in ar32_cl512_1_of_2/],
  ['GENIE_LORA_INPUTS', 'adapters without inputs', withLora({ inputs: false }), /no graph has an input/],
  ['GENIE_LORA_ALPHA', 'a strength for each rank', withLora({ alpha: [1, 1, 1, 8] }), /has 8 values/],
  ['GENIE_LORA_ALPHA', 'a strength of another name', withFile('adapters/a1/lora_alpha.raw', 4, withLora({ alphaName: 'lora_strength' })), /no input lora_strength/],
  ['GENIE_LORA_FILE', 'a weight of half precision', withLora({ size: 2 * 256 * 8 }), /has 4096 bytes/],
];

interface RecordedTensor {
  readonly name: string;
  readonly dims: number[];
  readonly dtype: string;
  readonly quant?: { readonly scale: number; readonly offset: number };
}

function asInspected({ name, dims, dtype, quant }: RecordedTensor): InspectedTensor {
  return { name, dtype, shape: dims, quantization: quant === undefined ? null : { kind: 'scale_offset', scale: quant.scale, offset: quant.offset } };
}

describe('lintBundle', () => {
  it('finds nothing in clean bundles', () => {
    expect(lintBundle(CLEAN)).toEqual([]);
    expect(lintBundle(withLora())).toEqual([]);
  });

  it.each(BREAKS)('%s: %s', (code, _, bundle, says) => {
    const findings = lintBundle(bundle);
    expect([...new Set(findings.map((finding) => finding.code))]).toEqual([code]);
    expect(findings[0]?.message).toMatch(says);
  });

  it('is tested with a breach of every rule', () => expect([...new Set(BREAKS.map(([code]) => code))].sort()).toEqual(BUNDLE_RULES.map(({ code }) => code).sort()));

  it('takes what other makers do: prefixes, an embedding part without a mask, no SoC id, 16-bit and floating caches', () => {
    expect(codes(withGraphs((graph) => { graph.name = `${graph.name.startsWith('ar1_') ? 'token' : 'prompt'}_${graph.name}`; }))).toEqual([]);
    expect(codes({ ...CLEAN, binaries: new Map([...CLEAN.binaries].map(([file, binary], index) => [file, { ...binary, socModel: index === 0 ? null : 69 }])) })).toEqual([]);
    expect(codes(withGraphs(onTensor(/^past_/, (tensor) => Object.assign(tensor, { dtype: 'uint16', quantization: { scale: 0.5, zeroPoint: 32768 } }))))).toEqual([]);
    expect(codes(withGraphs(onTensor(/^(past_|attention_mask)/, (tensor) => { tensor.dtype = 'float16'; delete tensor.quantization; })))).toEqual([]);
    expect(codes(withGraphs(encoding(/^attention_mask$/, { scale: Math.fround(50 / 65535) })))).toEqual([]);
    const table: BundleGraph[] = [1, 32].map((ar) => ({ name: `ar${ar}_cl256_1_of_2`, inputs: [{ name: 'input_ids', dtype: 'int32', shape: [1, ar] }], outputs: [{ name: 'embedded', dtype: 'uint16', shape: [1, 1, ar, 256], quantization: { scale: 0.002176149981096387, zeroPoint: 36686 } }] }));
    const layers = [1, 32].flatMap((ar) => [256, 512].map((cl) => sampleGraph({ ar, cl, part: 2, parts: 2, layers: [0, 1, 2, 3], takes: 'embedded' })));
    const apart = { ...CLEAN, binaries: new Map([[FIRST, { socModel: 69, graphs: table }], [SECOND, { socModel: 69, graphs: layers }]]) };
    expect(codes(apart)).toEqual([]);
    expect(codes({ ...apart, binaries: new Map([...apart.binaries, [FIRST, { socModel: 69, graphs: table.slice(1) }]]) })).toEqual(['GENIE_GRID', 'GENIE_INPUT_UNFILLED']);
  });

  it('takes the inputs and outputs of a real binary as they were inspected', () => {
    const real = JSON.parse(readFileSync(fileURLToPath(new URL('../../../test/fixtures/qnn/mini-llama-part1-ar1-cl256-v79.json', import.meta.url)), 'utf8')) as { readonly soc_model: number; readonly graphs: { readonly name: string; readonly inputs: RecordedTensor[]; readonly outputs: RecordedTensor[] }[] };
    const binary = bundleBinary({ socModel: real.soc_model, graphs: real.graphs.map((graph) => ({ ...graph, inputs: graph.inputs.map(asInspected), outputs: graph.outputs.map(asInspected) })) });
    const [one] = binary.graphs as [BundleGraph];
    const rest = [{ layers: [1, 2], takes: '_model_layers_0_Add_1_output_0', gives: 'stream' }, { layers: [3], takes: 'stream' }];
    const graphs = [one, ...rest.map((cell, index) => sampleGraph({ ...cell, ar: 1, cl: 256, part: index + 2, parts: 3 }))];
    const parts = graphs.map((each, index) => ({ file: `part_${index + 1}.bin`, graphs: [each] }));
    const bundle = sampleBundle(samplePlan({ parts }));
    expect(binary.socModel).toBe(69);
    expect(codes(bundle)).toEqual([]);
    expect(bundle.binaries.get('part_1.bin')?.graphs[0]?.inputs[4]).toEqual({ name: 'past_key_0_in', dtype: 'uint8', shape: [2, 1, 32, 255], quantization: { scale: 0.036202091723680496, zeroPoint: 128 } });
  });

  it('counts what would be told too often', () => {
    const findings = lintBundle(withGraphs(encoding(/^past_/, { zeroPoint: 7 })));
    expect(findings).toHaveLength(9);
    expect(findings[8]?.message).toBe('GENIE_KV_ZERO_POINT: 24 more findings of this rule');
  });

  it.each(['null', '[]', '{"dialog": [1]}', '{"dialog": {"engine": [], "context": {"eos-token": ["x"]}}}', '{"__proto__": {"dialog": {}}}'])('survives the configuration %s', (text) => expect(codes(withText(CONFIG, text))).toContain('GENIE_CONFIG_SCHEMA'));

  it('survives graphs without anything', () => expect(codes(withGraphs((graph) => { graph.inputs = []; graph.outputs = []; }))).toEqual(expect.arrayContaining(['GENIE_TENSOR_NAME'])));
});

describe('the documentation', () => {
  it('has the rules as they are', () => {
    const page = readFileSync(fileURLToPath(new URL('../../../docs/genie-bundle.md', import.meta.url)), 'utf8');
    const table = page.split('| code | asks | Genie |\n|---|---|---|\n')[1]?.split('\n\n')[0];
    expect(table).toBe(BUNDLE_RULES.map(({ code, asks, genie }) => `| \`${code}\` | ${asks} | ${genie} |`).join('\n'));
  });
});
