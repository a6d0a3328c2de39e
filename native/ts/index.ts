/** Typed wrapper of the kernels. */
export {};
