/** What the server tells about itself: OpenAPI 3.1. */
import { ROUTES } from './routes.js';

type Answers = Readonly<Record<number, string>>;

const bytes = { 'application/octet-stream': { schema: { type: 'string', format: 'binary' } } };
const json = { 'application/json': { schema: { type: 'object' } } };
const plain = { 'text/plain': { schema: { type: 'string' } } };

const READ: Answers = { 200: 'The body', 206: 'The part that `Range` asks for', 304: 'The client has these bytes: `If-None-Match` names them', 400: 'The key is not of the form of its kind', 401: 'No token, or one that is not known', 404: 'There is no such entry, or the token does not see it', 416: 'The range lies outside of the body', 500: 'The disk failed or did not answer in time' };
const LOOK: Answers = { 200: 'It exists; `content-length` and `etag` are those of a GET', 304: READ[304] as string, 400: READ[400] as string, 401: READ[401] as string, 404: READ[404] as string, 500: READ[500] as string };
const WRITE: Answers = { 200: 'Stored, or the same bytes were there', 400: 'Wrong key, length, digest or form, or blobs that an entry names are missing', 401: READ[401] as string, 403: 'The token may only read, or there is no room', 411: 'No `content-length`', 413: 'The body is too large', 500: READ[500] as string };

/** One operation; `content` is that of its 200. */
function operation(operationId: string, summary: string, answers: Answers, content?: object): object {
  const responses = Object.entries(answers).map(([status, description]) => [status, { description, ...(content !== undefined && ['200', '206'].includes(status) ? { content } : Number(status) >= 400 ? { content: plain } : {}) }]);
  return { operationId, summary, responses: Object.fromEntries(responses) };
}

function entries(name: string, title: string, parameter: object, content: object, write: Answers, read: Answers = READ, look: Answers = LOOK): object {
  return {
    parameters: [parameter],
    get: { ...operation(`get${name}`, `Reads ${title}`, read, content), parameters: [{ name: 'Range', in: 'header', schema: { type: 'string' } }, { name: 'If-None-Match', in: 'header', schema: { type: 'string' } }] },
    head: operation(`head${name}`, `Asks for ${title}`, look),
    put: { ...operation(`put${name}`, `Writes ${title}, once and for all`, write), requestBody: { required: true, content } },
  };
}

const inPath = (name: string, pattern: string): object => ({ name, in: 'path', required: true, schema: { type: 'string', pattern } });
const open = (name: string, summary: string, content: object): object => ({ get: { ...operation(name, summary, { 200: 'Always' }, content), security: [] } });

const NX_MISS = 'No such entry; also for a wrong token, damaged content, and a disk that fails or is slow: any other answer would end the run of Nx';
const NX_READ: Answers = { 200: 'gzip of a tar with the outputs, `terminalOutput` and `code`', 206: READ[206] as string, 304: READ[304] as string, 404: NX_MISS };

export const openapi = {
  openapi: '3.1.0',
  info: { title: 'Tundish cache server', version: '1', description: 'Blobs, action entries and the remote cache of Nx.' },
  components: { securitySchemes: { token: { type: 'http', scheme: 'bearer' } } },
  security: [{ token: [] }, {}],
  paths: {
    [inBraces(ROUTES.nx)]: entries('NxArchive', 'an archive of Nx', inPath('hash', '^[0-9a-z]{1,64}$'), bytes, { 200: 'Stored', 403: 'Not stored; the text says why', 409: 'The hash has an archive already' }, NX_READ, { 200: LOOK[200] as string, 304: LOOK[304] as string, 404: NX_MISS }),
    [inBraces(ROUTES.cas)]: entries('Blob', 'a blob', inPath('sha256', '^[0-9a-f]{64}$'), bytes, WRITE),
    [inBraces(ROUTES.ac)]: entries('ActionEntry', 'an action entry', inPath('key', '^[0-9a-f]{64}$'), json, { ...WRITE, 409: 'The key has another entry already' }),
    [ROUTES.health]: open('health', 'Whether the server works', json),
    [ROUTES.metrics]: open('metrics', 'Figures for Prometheus', plain),
    [ROUTES.openapi]: open('openapi', 'This description', json),
  },
};

/** `/cas/:sha256` as OpenAPI writes it. */
function inBraces(route: string): string {
  return route.replace(/:(\w+)/, '{$1}');
}
