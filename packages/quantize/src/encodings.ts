/** Encodings files and their lint, without the techniques: stages that only carry encodings depend on no code of these. */
export { ENCODINGS_VERSIONS } from './encodings-formats/document.js';
export type { BlockForm, BlockLayout, ChannelForm, EncodingsDocument, EncodingsEntry, EncodingsVersion, FloatForm, IntegerGrid, LpbqForm, TensorEncoding, TensorForm } from './encodings-formats/document.js';
export { documentOf } from './encodings-formats/document-of.js';
export { parseEncodings, readEncodingsFile } from './encodings-formats/read-encodings.js';
export type { ReadEncodingsOptions } from './encodings-formats/read-encodings.js';
export { isSameEncoding } from './encodings-formats/same-encoding.js';
export { writeEncodings } from './encodings-formats/write-encodings.js';
export type { Finding, LintRule } from './encodings-lint/finding.js';
export { lintAdapters } from './encodings-lint/lint-adapters.js';
export type { AdapterEncodings } from './encodings-lint/lint-adapters.js';
export { lintCarried } from './encodings-lint/lint-carried.js';
export { LINT_RULES, lintEncodings } from './encodings-lint/lint-encodings.js';
export { lintGraphs, lintParts } from './encodings-lint/lint-graph-set.js';
export type { NamedGraph } from './encodings-lint/lint-graph-set.js';
