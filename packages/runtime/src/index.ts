/** Generates text from a container: engine, sampler, sessions. */
export { decode, encodeAll } from './codec.js';
export { Conversation } from './conversation.js';
export type { ConversationOptions, Reply } from './conversation.js';
export { Engine } from './engine.js';
export type { EngineModel } from './engine.js';
export type { GenerateOptions, GeneratedToken, Generation, GenerationStats, Prompt, StopReason } from './generation.js';
export { containerTokenizer, openContainer } from './open-container.js';
export type { OpenContainerOptions } from './open-container.js';
export { promptIds } from './prompt-ids.js';
export { randomStream } from './random.js';
export type { RandomStream } from './random.js';
export { GREEDY, Sampler } from './sampler.js';
export type { SamplingOptions } from './sampler.js';
export type { Session } from './session.js';
