/** ONNX Runtime on the CPU behind the toolchain port. */
export {};
