/** Version of the importer: all that a cache lookup needs of it. */

/** Raised whenever the same file would give other bytes than before. */
export const GGUF_IMPORT_VERSION = 1;
