/** Quantization techniques, calibration, encodings formats. */
export {};
