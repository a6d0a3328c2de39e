/** An ONNX file by its structure: inputs, outputs, operations, external data. */
import { statSync } from 'node:fs';
import { formatBytes, textTable } from '@tundish/diagnostics';
import { type OnnxTensorInfo, summarizeOnnx } from '@tundish/graph/summary';
import { type Description, shapeText } from './description.js';

/** @throws ONNX_MALFORMED, ONNX_INVALID; the errors of context binaries, when the file wraps one and the vendor's libraries are here */
export async function describeOnnx(path: string): Promise<Description> {
  const summary = summarizeOnnx(path);
  const wrapped = summary.epContexts.length === 0 ? undefined : await (await import('./describe-wrapped.js')).describeWrapped(path, summary.epContexts);
  const externalBytes = summary.external.reduce((sum, { bytes }) => sum + bytes, 0);
  const opsets = Object.entries(summary.opsets).map(([domain, version]) => `${domain} ${version}`).join(', ');
  return {
    kind: 'ONNX graph',
    path,
    bytes: statSync(path).size,
    facts: [
      ['graph', summary.graph],
      ['producer', summary.producer],
      ['versions', `IR ${summary.irVersion}, ${opsets}`],
      ['nodes', `${summary.nodes} of ${Object.keys(summary.operations).length} operations`],
      ['weights', `${summary.initializers} initializers: ${formatBytes(summary.inlineBytes)} inside, ${formatBytes(externalBytes)} in ${summary.external.length} other files`],
    ],
    sections: [
      { title: 'inputs', lines: summary.inputs.map(tensorLine) },
      { title: 'outputs', lines: summary.outputs.map(tensorLine) },
      { title: 'operations', lines: Object.entries(summary.operations).map(([name, count]) => `${String(count).padStart(6)}  ${name}`) },
      ...(summary.external.length === 0 ? [] : [{ title: 'external data', lines: externalTable(summary.external) }]),
      ...(wrapped?.sections ?? []),
    ],
    data: { ...summary, externalBytes, ...(wrapped === undefined ? {} : { binaries: wrapped.binaries }) },
  };
}

function tensorLine({ name, dtype, shape }: OnnxTensorInfo): string {
  return `${name}  ${dtype}  ${shapeText(shape)}`;
}

function externalTable(files: ReturnType<typeof summarizeOnnx>['external']): string[] {
  const rows = files.map(({ location, tensors, from, to, bytes }) => [location, String(tensors), `${from}..${to}`, formatBytes(bytes)]);
  return textTable(['file', 'tensors', 'bytes from..to', 'total'], rows, [false, true, true, true]);
}
