/** Perplexity, KL divergence, top-1 agreement under named, hashed protocols. */
export {};
