/** A remote cache in a bucket of S3 or of a server that speaks its protocol: `<prefix>cas/<sha256>` and `<prefix>ac/<key>`. */
import type { Readable } from 'node:stream';
import type * as S3 from '@aws-sdk/client-s3';
import type { Upload } from '@aws-sdk/lib-storage';
import { messageOf } from '@tundish/diagnostics';
import { ACTION_ENTRY_LIMIT, type BlobRef, type RemoteCache } from '@tundish/store';
import { remoteError } from './errors.js';
import { countedStream } from './file-bytes.js';

export interface S3Place {
  readonly bucket: string;
  /** Empty, or with a slash at its end. */
  readonly prefix: string;
  /** Else what the AWS environment and its configuration files say. */
  readonly region?: string;
  /** URL of a server other than that of AWS. */
  readonly endpoint?: string;
  /** Whether the bucket is part of the path and not of the host. */
  readonly pathStyle: boolean;
}

/** S3 takes 10,000 parts of at least 5 MiB. */
const PART_BYTES = 8 * 1024 * 1024;
const MOST_PARTS = 9000;

/** Loaded when the first call is made: hundreds of modules that nobody else needs. */
type Sdk = typeof S3 & { readonly Upload: typeof Upload };

export class S3Backend implements RemoteCache {
  readonly name: string;
  #loaded: Promise<{ readonly sdk: Sdk; readonly client: S3.S3Client }> | undefined;

  constructor(private readonly place: S3Place) {
    this.name = `s3://${place.bucket}/${place.prefix}`.replace(/\/$/, '');
  }

  async hasBlob({ sha256, size }: BlobRef, signal: AbortSignal): Promise<boolean> {
    const { sdk, client } = await this.#connected();
    const found = await unlessAbsent(client.send(new sdk.HeadObjectCommand(this.#object(`cas/${sha256}`)), { abortSignal: signal }));
    return found !== undefined && found.ContentLength === size;
  }

  async readBlob({ sha256 }: BlobRef, signal: AbortSignal): Promise<Readable | undefined> {
    const { sdk, client } = await this.#connected();
    const found = await unlessAbsent(client.send(new sdk.GetObjectCommand(this.#object(`cas/${sha256}`)), { abortSignal: signal }));
    // In Node.js the body is a stream of it.
    return found?.Body as Readable | undefined;
  }

  async writeBlob({ sha256, size }: BlobRef, path: string, signal: AbortSignal, onBytes?: (count: number) => void): Promise<'stored' | 'refused'> {
    const { sdk, client } = await this.#connected();
    signal.throwIfAborted();
    const body = countedStream(path, onBytes);
    const upload = new sdk.Upload({
      client,
      params: { ...this.#object(`cas/${sha256}`), Body: body, IfNoneMatch: '*', ...(size <= PART_BYTES ? { ContentLength: size } : {}) },
      partSize: Math.max(PART_BYTES, Math.ceil(size / MOST_PARTS)),
      queueSize: 1,
    });
    const stop = (): void => void upload.abort();
    signal.addEventListener('abort', stop, { once: true });
    try {
      return await written(upload.done());
    } finally {
      signal.removeEventListener('abort', stop);
      body.destroy();
    }
  }

  async readEntry(key: string, signal: AbortSignal): Promise<Uint8Array | undefined> {
    const { sdk, client } = await this.#connected();
    const found = await unlessAbsent(client.send(new sdk.GetObjectCommand(this.#object(`ac/${key}`)), { abortSignal: signal }));
    if (found === undefined) return undefined;
    if ((found.ContentLength ?? 0) > ACTION_ENTRY_LIMIT) throw unavailable(new Error(`an entry has ${found.ContentLength} bytes`));
    return found.Body?.transformToByteArray();
  }

  async writeEntry(key: string, bytes: Uint8Array, signal: AbortSignal): Promise<'stored' | 'refused'> {
    const { sdk, client } = await this.#connected();
    return written(client.send(new sdk.PutObjectCommand({ ...this.#object(`ac/${key}`), Body: bytes, ContentType: 'application/json', IfNoneMatch: '*' }), { abortSignal: signal }));
  }

  #object(name: string): { readonly Bucket: string; readonly Key: string } {
    return { Bucket: this.place.bucket, Key: `${this.place.prefix}${name}` };
  }

  #connected(): Promise<{ readonly sdk: Sdk; readonly client: S3.S3Client }> {
    this.#loaded ??= (async () => {
      const [s3, storage] = await Promise.all([import('@aws-sdk/client-s3'), import('@aws-sdk/lib-storage')]);
      const { region, endpoint, pathStyle } = this.place;
      const client = new s3.S3Client({
        forcePathStyle: pathStyle,
        maxAttempts: 2,
        // Digests of ours are checked on each read; other servers do not know the checksums that AWS adds.
        requestChecksumCalculation: 'WHEN_REQUIRED',
        responseChecksumValidation: 'WHEN_REQUIRED',
        ...(region === undefined ? {} : { region }),
        ...(endpoint === undefined ? {} : { endpoint }),
      });
      return { sdk: { ...s3, Upload: storage.Upload }, client };
    })();
    return this.#loaded;
  }
}

async function unlessAbsent<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if (statusOf(error) === 404 && (error as Error).name !== 'NoSuchBucket') return undefined;
    throw unavailable(error);
  }
}

/** What is there stays: names are digests, and the first entry of a key is the one that others may have read. */
async function written(work: Promise<unknown>): Promise<'stored' | 'refused'> {
  try {
    await work;
    return 'stored';
  } catch (error) {
    const status = statusOf(error);
    if (status === 412 || status === 409) return 'stored';
    if (status === 403 || status === 413) return 'refused';
    throw unavailable(error);
  }
}

function statusOf(error: unknown): number | undefined {
  return (error as { readonly $metadata?: { readonly httpStatusCode?: number } }).$metadata?.httpStatusCode;
}

function unavailable(cause: unknown): Error {
  const status = statusOf(cause);
  return remoteError('REMOTE_UNAVAILABLE', {
    what: 'the bucket of the remote cache cannot be used',
    why: `${status === undefined ? '' : `status ${status}, `}${messageOf(cause)}`,
    fix: 'look at the bucket, its region and endpoint, and at the AWS credentials of this machine',
    cause,
  });
}
