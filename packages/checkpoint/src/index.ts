/** What comes in: Hugging Face config, safetensors by byte range, hub cache. */
export {};
