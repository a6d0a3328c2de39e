/** Reads ONNX bytes into a model, and refuses what the ONNX specification forbids with the place where it was seen. */
import { fromBinary } from '@bufbuild/protobuf';
import { type Reporter, printable, silentReporter } from '@tundish/diagnostics';
import { decodeGraph } from './decode-graph.js';
import { graphError } from './errors.js';
import { checkExternalFiles } from './external-data.js';
import type { Model } from './graph.js';
import { TUNDISH_DOMAIN } from './hadamard/hadamard-node.js';
import { located } from './located.js';
import { type ModelProto, ModelProtoSchema } from './onnx_pb.js';
import { inferShapes } from './shape-inference/infer-shapes.js';
import { checkWire } from './wire-check.js';

/** Newest versions that this package and ONNX Runtime 1.30 both know. */
const MAX_IR_VERSION = 13;
const MAX_OPSETS: ReadonlyMap<string, number> = new Map([['', 26], ['com.microsoft', 1], [TUNDISH_DOMAIN, 1]]);

export interface DecodeOptions {
  /** Path for messages. */
  readonly path?: string;
  /** Folder that holds the external data files; when given, every external range is held against them. */
  readonly checkExternal?: string;
  /** Leaves shapes as they are declared, for graphs whose operators need not be known. */
  readonly declaredShapes?: boolean;
  /** Hears about what was repaired: unsorted nodes, node names that were not unique. */
  readonly reporter?: Reporter;
}

/**
 * The model in `bytes`, with all shapes that can be inferred (`declaredShapes`: those that the file declares). Inline tensors alias `bytes`.
 *
 * @throws ONNX_MALFORMED, ONNX_INVALID, ONNX_UNSUPPORTED, ONNX_EXTERNAL_DATA, GRAPH_CYCLE, GRAPH_OP, GRAPH_SHAPE_CONFLICT
 */
export function decodeModel(bytes: Uint8Array, options: DecodeOptions = {}): Model {
  return located(options.path, () => {
    checkWire(bytes);
    const proto = fromBinary(ModelProtoSchema, bytes);
    const model = readModel(proto, options.reporter ?? silentReporter);
    if (options.declaredShapes !== true) inferShapes(model);
    if (options.checkExternal !== undefined) checkExternalFiles(model, options.checkExternal);
    return model;
  });
}

function readModel(proto: ModelProto, reporter: Reporter): Model {
  if (proto.graph === undefined) throw graphError('ONNX_INVALID', { what: 'no graph in the model', why: 'the file holds a model header only', fix: 'export the model again' });
  if (proto.irVersion < 3n || proto.irVersion > BigInt(MAX_IR_VERSION)) {
    throw graphError('ONNX_UNSUPPORTED', { what: `IR version ${proto.irVersion} is not supported`, why: `versions 3 to ${MAX_IR_VERSION} are read`, fix: 'export for a supported IR version' });
  }
  if (proto.functions.length > 0 || proto.trainingInfo.length > 0) {
    throw graphError('ONNX_UNSUPPORTED', { what: 'the model has functions or training information', why: 'graphs are flat', fix: 'inline functions before the import' });
  }
  const opsetImports = readOpsets(proto);
  return {
    irVersion: Number(proto.irVersion),
    opsetImports,
    producerName: proto.producerName,
    metadata: new Map(proto.metadataProps.map(({ key, value }) => [key, value])),
    graph: decodeGraph(proto.graph, reporter),
  };
}

function readOpsets(proto: ModelProto): Map<string, number> {
  const opsets = new Map<string, number>();
  for (const { domain, version } of proto.opsetImport) {
    const name = domain === 'ai.onnx' ? '' : domain;
    const newest = MAX_OPSETS.get(name);
    if (newest !== undefined && version > BigInt(newest)) {
      throw graphError('ONNX_UNSUPPORTED', { what: `opset ${version} is newer than ${newest}`, why: `domain ${name || 'ai.onnx'} is known up to ${newest}`, fix: `export for opset ${newest} or older` });
    }
    if (opsets.has(name)) {
      throw graphError('ONNX_INVALID', {
        what: `opset of domain ${printable(name) || 'ai.onnx'} is imported twice`,
        why: `versions ${opsets.get(name)} and ${version} cannot both hold`,
        fix: 'export the model again',
      });
    }
    opsets.set(name, Number(version));
  }
  return opsets;
}
