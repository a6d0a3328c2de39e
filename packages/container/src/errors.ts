/** Every failure of reading and writing a container. */
import { declareErrors } from '@tundish/diagnostics';

export const containerError = declareErrors({
  CONTAINER_NOT_FOUND: 'The folder has no manifest.json, so it is not a container.',
  CONTAINER_MANIFEST_INVALID: 'manifest.json is not JSON, or breaks a rule of its schema.',
  CONTAINER_SCHEMA_UNKNOWN: 'manifest.json has a schema version that this release cannot read.',
  CONTAINER_FILE_MISSING: 'A file that the manifest lists is not in the folder.',
  CONTAINER_FILE_SIZE: 'A file of the container is shorter or longer than its manifest says.',
  CONTAINER_FILE_DIGEST: 'The bytes of a container file do not have the digest of the manifest.',
  CONTAINER_GENIE_UNSUPPORTED: 'genie_config.json cannot express this model.',
  CONTAINER_SPECIALIZATION_INVALID: 'A specialization has neither symbols nor a usable name.',
});
