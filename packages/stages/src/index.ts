/** The stages (requires, run, ensures) and the pipeline that runs them with or without Nx. */
export {};
