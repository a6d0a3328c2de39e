/** One file per Hugging Face model_type: checkpoint to adapted graph. */
export {};
