/** What to build: schema, defaults, canonical lock, cells (AR x CL x part). */
export {};
