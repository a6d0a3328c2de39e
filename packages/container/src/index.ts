/** What goes out: manifest, Genie config, specializations, metadata. */
export { GENIE_ENGINE, genieConfig, genieObstacle } from './genie-config.js';
export type { GenieEngine, GenieFacts, RopeScaling } from './genie-config.js';
export { MANIFEST_FILE, MANIFEST_SCHEMA, containerGraphName } from './manifest.js';
export type {
  ContainerArchitecture, ContainerGraph, ContainerIoType, ContainerPart, ContainerRope, ContainerTensor, FileDigest, GenerationDefaults, Manifest, ManifestFacts,
} from './manifest.js';
export { metadata, toolVersionsYaml } from './metadata.js';
export type { MetadataFacts, MetadataGraph, MetadataTensor } from './metadata.js';
export { partFiles, readContainer, readContainerManifest, verifyContainer } from './read.js';
export type { Container } from './read.js';
export { flatSpecializations, gridSpecializations, namedSpecializations } from './specializations.js';
export type { FlatSpecialization, NamedSpecialization } from './specializations.js';
export { composeManifest, manifestText, writeContainerManifest } from './write.js';
export { ropeTable } from './rope-table.js';
export type { RopeTable } from './rope-table.js';
