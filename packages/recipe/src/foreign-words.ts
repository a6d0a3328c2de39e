/** Options that other toolchains have under other names, and those that have no meaning here: what to write, or why not. */

interface Answer {
  readonly why: string;
  readonly fix: string;
}

const elsewhere = (why: string, fix: string): Answer => ({ why, fix });
const ACTIVATIONS = elsewhere('activations have 16 bits', 'write quantize: { activations: { bits: 16 } }, which is the default');
const WEIGHTS = elsewhere('bits and scales of weights are chosen where they are made', 'write quantize: { weights: { scheme: lpbq } } or { scheme: per_channel, bits: 4 or 8 }');
const FLOAT = elsewhere('every value of these graphs has codes, or with convert: { precision: fp16 } half floats: there is no other width', 'remove it, or write convert: { precision: fp16 }');

/** By the word in snake case. */
const ANSWERS: Readonly<Record<string, Answer>> = {
  native_kv: elsewhere('the layout of its tiles is not public: the cache stays flat, behind a smart mask', 'remove it'),
  act_bitwidth: ACTIVATIONS, act_precision: ACTIVATIONS, act_bw: ACTIVATIONS,
  weights_bitwidth: WEIGHTS, weights_precision: WEIGHTS, weight_bw: WEIGHTS, per_channel_quantization: WEIGHTS, use_per_channel_quantization: WEIGHTS,
  bias_bitwidth: elsewhere('projections with biases are not compiled', 'remove it'),
  float_bitwidth: FLOAT, float_bias_bitwidth: FLOAT, float_fallback: FLOAT,
  export_format: elsewhere('a container of the graphs (DLC) is written beside a build', 'run npx nx run MODEL:export-dlc'),
  soc_model: elsewhere('chips are named', 'write chipset: sm8750, or the chip that you have'),
  soc_details: elsewhere('chips are named', 'write chipset: sm8750, or the chip that you have'),
  htp_chipset: elsewhere('chips are named at the top of the recipe', 'write chipset: sm8750, or the chip that you have'),
  htp_arch: elsewhere('the chip decides the version of the processor', 'write chipset: sm8750, or the chip that you have'),
  htp_vtcm_capability_in_mb: elsewhere('it is an option of compile', 'write compile: { vtcmMb: 8 }'),
  vtcm_mb: elsewhere('it is an option of compile', 'write compile: { vtcmMb: 8 }'),
  htp_security_pd_session: elsewhere('it is an option of package', 'write package: { domain: unsigned } or signed'),
  htp_try_best_performance: elsewhere('it is an option of package', 'write package: { profile: burst }'),
  weight_sharing_enabled: elsewhere('it is an option of compile', 'write compile: { weightSharing: true }, which is the default'),
  split_graph: elsewhere('it is an option of graphs', 'write graphs: { parts: 2 }'),
  num_splits: elsewhere('it is an option of graphs', 'write graphs: { parts: 2 }'),
};

/** @param word in snake case or camel case */
export function foreignWord(word: string): Answer | undefined {
  const snake = word.replaceAll(/([a-z0-9])([A-Z])/g, '$1_$2').toLowerCase();
  return Object.hasOwn(ANSWERS, snake) ? ANSWERS[snake] : undefined;
}
