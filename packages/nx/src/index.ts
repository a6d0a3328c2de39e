/** The Nx plugin: inferred targets, executors, generators. */
export {};
