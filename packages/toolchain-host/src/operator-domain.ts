/** Domain of the operators that our addon brings; native/src/onnx/operators.h says what they compute. */
export const OPERATOR_DOMAIN = 'tundish';
