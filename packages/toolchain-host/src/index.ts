/** ONNX Runtime on the CPU behind the toolchain port. */
export { hostReference } from './reference.js';
export { hostToolchain } from './toolchain.js';
export type { HostOptions } from './toolchain.js';
