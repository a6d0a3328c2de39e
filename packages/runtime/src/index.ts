/** Generates text from a container: runner, sampler, sessions in workers. */
export {};
