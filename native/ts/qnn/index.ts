/** The calls into the vendor's libraries, typed. */
export { QNN_ADDON_VERSION, openQnnAddon, qnnAddonPath } from './addon.js';
export type { QnnAddon, QnnBackend, QnnCallError, QnnContext, QnnGraph, QnnLogLine, QnnSystem } from './addon.js';
export type { QnnBinaryInfo, QnnGraphInfo, QnnGraphMemory, QnnTensorInfo } from './binary-info.js';
export type { QnnAnswer, QnnDialog } from './dialog.js';
export type { QnnBlockwise, QnnData, QnnFileRange, QnnGraphOptions, QnnOperation, QnnParameter, QnnQuantization, QnnReadQuantization, QnnTensor } from './tensor.js';
