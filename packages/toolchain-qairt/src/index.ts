/** The vendor's libraries behind processes of their own: found, installed, described, called; and what they say about binaries. */
export { Child, withChild } from './child/child.js';
export type { CallOptions, ChildOptions } from './child/child.js';
export type { BackendInfo, CallName, Calls, ComposeGraph, OpenBackend } from './child/protocol.js';
export { SUPPORTED_BUILDS, releaseOf } from './libraries/builds.js';
export type { SupportedBuild } from './libraries/builds.js';
export { childOptionsOf, describeLibraries } from './libraries/describe.js';
export type { Capability, LibrariesDescription } from './libraries/describe.js';
export { findLibraries, hasLibrary, installedLibraries, libraryPath, requireLibraries } from './libraries/find.js';
export type { Installation, LibraryName, LibraryPlaces, QairtLibraries } from './libraries/find.js';
export { installLibraries, supportedBuild } from './libraries/install.js';
export type { InstallRequest, InstallResult } from './libraries/install.js';
export { licenceNotice } from './libraries/licence.js';
export { inspectContextBinary } from './inspection/context-binary.js';
export type { BinaryGraph, BinaryQuantization, BinaryTensor, ContextBinary } from './inspection/context-binary.js';
export { ELEMENT_CODES, TENSOR_KINDS, elementName, elementsOf } from './inspection/element-types.js';
export type { ElementType } from './inspection/element-types.js';
export { openBinary } from './inspection/open-binary.js';
export type { OpenedGraph } from './inspection/open-binary.js';
