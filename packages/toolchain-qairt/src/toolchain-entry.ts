/** The toolchain alone, for every task of a build: what compiles and executes is loaded when it is first used. */
export { qairtVersion } from './identity.js';
export { findLibraries } from './libraries/find.js';
export type { LibraryPlaces } from './libraries/find.js';
export { qairtToolchain } from './toolchain.js';
