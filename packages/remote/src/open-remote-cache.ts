/** From the address of a remote cache to its client. */
import { fileURLToPath } from 'node:url';
import { printable } from '@tundish/diagnostics';
import type { RemoteCache } from '@tundish/store';
import { remoteError } from './errors.js';
import type { S3Place } from './s3-backend.js';

/**
 * Nothing is connected yet.
 *
 * @param address `file:///folder`, `s3://bucket/prefix?region=R&endpoint=URL&pathStyle=true`, `http(s)://host[:port][/prefix]`
 * @param token bearer token of an HTTP server
 * @throws REMOTE_URL
 */
export async function openRemoteCache(address: string, { token }: { readonly token?: string | undefined } = {}): Promise<RemoteCache> {
  const url = URL.canParse(address) ? new URL(address) : undefined;
  if (url === undefined) throw wrong(address, 'it is no URL');
  if (url.username !== '' || url.password !== '') throw wrong(`${url.protocol}//…`, 'it holds a password, which would be printed', 'put the token into TUNDISH_REMOTE_CACHE_TOKEN, S3 keys into the AWS environment');
  switch (url.protocol) {
    case 'file:':
      return new (await import('./file-backend.js')).FileBackend(folderOf(url));
    case 's3:':
      return new (await import('./s3-backend.js')).S3Backend(s3Place(url));
    case 'http:':
    case 'https:':
      if (url.search !== '' || url.hash !== '') throw wrong(address, 'an http address has no query here');
      return new (await import('./http-backend.js')).HttpBackend(url, token);
    default:
      throw wrong(address, `nothing here speaks ${printable(url.protocol)}`);
  }
}

function folderOf(url: URL): string {
  if (url.host !== '' || url.search !== '' || url.hash !== '') throw wrong(url.href, 'a file address is a path alone');
  return fileURLToPath(url);
}

const S3_OPTIONS: readonly string[] = ['region', 'endpoint', 'pathStyle'];

function s3Place(url: URL): S3Place {
  const options = url.searchParams;
  const unknown = [...options.keys()].find((name) => !S3_OPTIONS.includes(name));
  if (unknown !== undefined) throw wrong(url.href, `${printable(unknown)} is no option of an s3 address`, `the options are ${S3_OPTIONS.join(', ')}`);
  if (url.host === '') throw wrong(url.href, 'it names no bucket');
  const pathStyle = options.get('pathStyle') ?? 'false';
  if (pathStyle !== 'true' && pathStyle !== 'false') throw wrong(url.href, 'pathStyle is true or false');
  const [region, endpoint] = [options.get('region'), options.get('endpoint')];
  if (endpoint !== null && !/^https?:\/\//.test(endpoint)) throw wrong(url.href, 'endpoint is an http or https URL');
  const folder = decodeURIComponent(url.pathname).replace(/^\/+|\/+$/g, '');
  return { bucket: url.host, prefix: folder === '' ? '' : `${folder}/`, pathStyle: pathStyle === 'true', ...(region === null ? {} : { region }), ...(endpoint === null ? {} : { endpoint }) };
}

function wrong(address: string, why: string, fix = 'write file:///folder, s3://bucket/prefix or http(s)://host'): Error {
  return remoteError('REMOTE_URL', { what: `${printable(address, 200)} is no address of a remote cache`, why, evidence: { detail: 'TUNDISH_REMOTE_CACHE' }, fix });
}
