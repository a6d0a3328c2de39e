/** Which binding opens sessions: our addon, which brings operators of our own, or onnxruntime-node, which knows the standard ones. */
import { type OnnxData, type OnnxFeed, type OnnxRuntime, type OnnxSessionOptions, openOnnxRuntime } from '@tundish/native';
import { installedRuntime } from './identity.js';
import { OPERATOR_DOMAIN } from './operator-domain.js';

export interface NamedData {
  readonly name: string;
  readonly data: OnnxData;
}

/** Failures are Errors with the words of ONNX Runtime. */
export interface OpenSession {
  run(feeds: readonly OnnxFeed[], fetches: readonly string[]): Promise<NamedData[]>;
  release(): Promise<void>;
}

export interface OnnxBinding {
  open(model: Uint8Array, options: SessionOptions): Promise<OpenSession>;
}

export type SessionOptions = Omit<OnnxSessionOptions, 'operators'>;

/** Field 1 of an OperatorSetIdProto that names our domain: a string of 7 bytes. */
const DOMAIN_IMPORT = Buffer.from(`\x0a\x07${OPERATOR_DOMAIN}`);

/** Warnings and below are not for users: every initializer that folding leaves unused would be one. */
const ERRORS_ONLY = 3;

let binding: Promise<OnnxBinding> | undefined;

export function openBinding(): Promise<OnnxBinding> {
  return (binding ??= chooseBinding());
}

async function chooseBinding(): Promise<OnnxBinding> {
  const { library } = await installedRuntime();
  const opened = library === undefined ? { reason: 'ONNX Runtime has no library for it on this platform' } : openOnnxRuntime(library);
  return 'runtime' in opened ? addonBinding(opened.runtime) : nodeBinding(opened.reason);
}

function addonBinding(runtime: OnnxRuntime): OnnxBinding {
  return {
    open: async (model, options) => {
      const session = runtime.createSession(model, { ...options, operators: importsOperators(model) });
      return { run: async (feeds, fetches) => session.run(feeds, fetches), release: async () => session.release() };
    },
  };
}

/** @param reason why the addon does not open sessions */
async function nodeBinding(reason: string): Promise<OnnxBinding> {
  const { InferenceSession, Tensor } = await import('onnxruntime-node');
  const tensorOf = ({ data: given, dims }: OnnxFeed): InstanceType<typeof Tensor> => {
    // This binding takes no shared memory; slice() copies into memory of its own.
    const data = given.buffer instanceof SharedArrayBuffer ? given.slice() : given;
    if (data instanceof Float32Array) return new Tensor('float32', data, dims);
    if (data instanceof Uint16Array) return new Tensor('uint16', data, dims);
    return data instanceof Uint8Array ? new Tensor('uint8', data, dims) : new Tensor('int32', data, dims);
  };
  return {
    open: async (model, { threads, optimize, arena, saveAs, entries }) => {
      if (importsOperators(model)) throw new Error(`the graph has operators of domain ${OPERATOR_DOMAIN}, and the addon that brings them cannot be used: ${reason}`);
      const session = await InferenceSession.create(model, {
        executionProviders: ['cpu'],
        graphOptimizationLevel: optimize ? 'basic' : 'disabled',
        intraOpNumThreads: threads,
        interOpNumThreads: 1,
        logSeverityLevel: ERRORS_ONLY,
        enableCpuMemArena: arena,
        ...(saveAs === undefined ? {} : { optimizedModelFilePath: saveAs }),
        extra: { ...entries },
      });
      return {
        run: async (feeds, fetches) => {
          const results = await session.run(Object.fromEntries(feeds.map((feed) => [feed.name, tensorOf(feed)])), [...fetches]);
          return fetches.map((name) => ({ name, data: returnable(name, results[name]?.type, results[name]?.data) }));
        },
        release: () => session.release(),
      };
    },
  };
}

function importsOperators(model: Uint8Array): boolean {
  return Buffer.from(model.buffer, model.byteOffset, model.byteLength).includes(DOMAIN_IMPORT);
}

function returnable(name: string, type: string | undefined, data: unknown): OnnxData {
  if (data instanceof Float32Array || data instanceof Uint8Array || data instanceof Uint16Array || data instanceof Int32Array) return data;
  throw new Error(`output ${name} is ${type ?? 'absent'}: float32, uint8, uint16 and int32 can be returned`);
}
