/** Rules about the files of a bundle and the chips they are for. */
import type { ErrorFacts } from '@tundish/diagnostics';
import { printable } from '@tundish/diagnostics';
import { LARGEST_BINARY, chipBySoc } from '@tundish/recipe/chips';
import { parseJson } from '../parse-json.js';
import type { BundleRule } from './rule.js';
import type { BundleView } from './view.js';

export const FILE_RULES: readonly BundleRule[] = [
  {
    code: 'GENIE_TOKENIZER_MISSING',
    asks: 'the tokenizer is in the bundle',
    genie: 'aborts the process',
    *check({ bundle, values: { tokenizer } }) {
      if (tokenizer !== undefined && !bundle.files.has(tokenizer)) yield { what: `the tokenizer ${printable(tokenizer)} is missing`, why: 'the runtime ends the whole process then', fix: 'put the tokenizer into the bundle' };
    },
  },
  {
    code: 'GENIE_BINARY_MISSING',
    asks: '`ctx-bins` names at least one context binary, and all of them are in the bundle',
    genie: 'refuses it',
    *check({ bundle, config, values }) {
      if (config !== undefined && values.contextBinaries.length === 0) yield { what: 'ctx-bins names no context binary' };
      for (const file of values.contextBinaries) {
        if (!bundle.binaries.has(file)) yield { what: `the context binary ${printable(file)} is missing`, why: bundle.files.has(file) ? 'it was not inspected' : 'no such file is in the bundle', evidence: { path: printable(file) } };
      }
    },
  },
  {
    code: 'GENIE_BINARY_SIZE',
    asks: 'a context binary has at least one byte and at most 2 GiB',
    genie: 'refuses it',
    *check({ bundle, parts }) {
      for (const { file } of parts) {
        const bytes = bundle.files.get(file) ?? 0;
        if (bytes === 0 || bytes > LARGEST_BINARY) yield { what: `the context binary ${printable(file)} has ${bytes} bytes`, why: `a device maps from 1 to ${LARGEST_BINARY} bytes of one file`, fix: bytes === 0 ? 'compile the part again' : 'split the model into more parts', evidence: { path: printable(file) } };
      }
    },
  },
  {
    code: 'GENIE_EXTENSIONS',
    asks: 'the extensions file is in the bundle and is a JSON object',
    genie: 'says nothing',
    *check({ bundle, values: { extensions } }) {
      if (extensions === undefined) return;
      const data = parseJson(bundle.texts.get(extensions));
      if (typeof data === 'object' && data !== null && !Array.isArray(data)) return;
      yield { what: `the extensions file ${printable(extensions)} ${bundle.files.has(extensions) ? 'is not a JSON object' : 'is missing'}`, why: 'performance profile and chip are then left to the defaults', evidence: { path: printable(extensions) } };
    },
  },
  { code: 'GENIE_CHIP', asks: 'all binaries and the extensions file are for one chip', genie: 'says nothing', check: chips },
];

function* chips({ bundle, values, parts }: BundleView): Iterable<ErrorFacts> {
  const stating = parts.filter(({ binary }) => binary.socModel !== null);
  const [first] = stating;
  if (first === undefined) return;
  const soc = first.binary.socModel;
  for (const { file, binary } of stating) {
    if (binary.socModel !== soc) yield { what: `${printable(file)} is compiled for SoC ${binary.socModel}, ${printable(first.file)} for ${soc}`, fix: 'compile all parts for one chip', evidence: { path: printable(file) } };
  }
  const version = soc === null ? undefined : chipBySoc(soc)?.hexagon;
  for (const { soc_model: stated, dsp_arch: arch } of devices(parseJson(bundle.texts.get(values.extensions ?? '')))) {
    const evidence = { path: printable(values.extensions ?? '') };
    if (stated !== undefined && stated !== soc) yield { what: `the extensions file names SoC ${printable(String(stated))}, the binaries are for ${soc}`, evidence };
    else if (arch !== undefined && version !== undefined && arch !== `v${version}`) yield { what: `the extensions file names ${printable(String(arch))}, SoC ${soc} is v${version}`, evidence };
  }
}

function devices(extensions: unknown): { readonly soc_model?: unknown; readonly dsp_arch?: unknown }[] {
  const list = typeof extensions === 'object' && extensions !== null && 'devices' in extensions ? extensions.devices : undefined;
  return Array.isArray(list) ? list.filter((each): each is object => typeof each === 'object' && each !== null) : [];
}
