/** The commands as functions, for the Nx executors. */
export { buildCommand } from './commands/build.js';
export type { BuildOptions } from './commands/build.js';
export { chatCommand } from './commands/chat.js';
export type { ChatAnswer, ChatOptions } from './commands/chat.js';
export { evaluateCommand } from './commands/evaluate.js';
export type { EvaluateOptions } from './commands/evaluate.js';
export { generateCommand } from './commands/generate.js';
export type { GenerateOptions, GenerateReport } from './commands/generate.js';
export { parityCommand } from './commands/parity.js';
export type { ParityOptions, ParityReport } from './commands/parity.js';
export { cacheRootOf, hubAccess, hubCacheOf } from './environment.js';
export { processIo } from './io.js';
export type { Io } from './io.js';
export { lineIo } from './line-io.js';
export { main } from './main.js';
export { programSetup } from './program-setup.js';
export type { ProgramSetup } from './program-setup.js';
export { adapters, toolchainNamed } from './toolchains.js';
