/** The failures of this package. */
import { declareErrors } from '@tundish/diagnostics';

export const fault = declareErrors({
  CHECKPOINT_FOLDER_NOT_FOUND: 'The checkpoint folder is not there or is not a folder.',
  CHECKPOINT_FILE_NOT_FOUND: 'A file that the checkpoint needs is not there.',
  CHECKPOINT_FILE_UNREADABLE: 'A file of the checkpoint is a directory, may not be read, or changed while it was read.',
  CHECKPOINT_WEIGHTS_NOT_FOUND: 'The folder holds no safetensors weights.',
  CHECKPOINT_INDEX_INVALID: 'model.safetensors.index.json is damaged or contradicts the shards.',
  CHECKPOINT_INDEX_UNSAFE_PATH: 'The index names a shard outside the checkpoint folder.',
  CHECKPOINT_TENSOR_MISSING: 'A tensor that the architecture needs is not in the weights.',
  CHECKPOINT_TENSOR_SHAPE: 'A tensor does not have the shape that config.json asks for.',
  CHECKPOINT_TENSOR_DTYPE: 'A tensor has a dtype that this architecture cannot use.',
  CHECKPOINT_TENSOR_UNUSED: 'A tensor would be dropped although it changes the result.',
  CONFIG_NOT_JSON: 'A configuration file is not valid JSON.',
  CONFIG_FIELD_INVALID: 'A field of a configuration file is missing, has the wrong type, or a value that cannot work.',
  CONFIG_MODEL_TYPE_UNKNOWN: 'config.json names a model_type that no architecture file supports.',
  CONFIG_REMOTE_CODE: 'config.json asks for Python code from the checkpoint.',
  CONFIG_QUANTIZED: 'The checkpoint is already quantized.',
  SAFETENSORS_TRUNCATED: 'A safetensors file is shorter than its header says.',
  SAFETENSORS_NOT_SAFETENSORS: 'A file with this name is something else: a Git LFS pointer, a pickle, a zip.',
  SAFETENSORS_HEADER_INVALID: 'The header of a safetensors file is not what the format demands.',
  SAFETENSORS_TENSOR_INVALID: 'The entry of a tensor in a safetensors header contradicts itself or the file.',
  SAFETENSORS_LAYOUT_INVALID: 'The tensors of a safetensors file overlap or leave bytes to nobody.',
  HUB_ID_INVALID: 'A checkpoint is neither a folder nor a hub id.',
  HUB_OFFLINE: 'A hub checkpoint is not in the cache and the network may not be used.',
  HUB_DOWNLOAD_FAILED: 'A download from the hub failed.',
});
