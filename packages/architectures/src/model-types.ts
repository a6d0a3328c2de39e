/** Values of `model_type` that can be loaded: light, so that a plan is checked without loading graphs. */
export const MODEL_TYPES = ['llama'] as const;

export type ModelType = (typeof MODEL_TYPES)[number];
