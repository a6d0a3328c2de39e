/** Every operation and form of weights that docs/qairt-composer.md lists, by itself: compiled, executed, and held against exact arithmetic. */
import { readFileSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import { ELEMENT_CODES, type QairtLibraries, describeLibraries, elementsOf, withEmulator } from '@tundish/toolchain-qairt';
import { beforeAll, expect, it } from 'vitest';
import { ensureAddon } from '../../../native/test/built-addon.js';
import { type OneOp, errorOf, fedInputs, graphOf, titleOf } from './op-matrix/one-op.js';
import { OPS, documentedRow } from './op-matrix/ops.js';
import { describeWith, realLibraries } from './real-libraries.js';

const real = realLibraries();

beforeAll(ensureAddon);

/** Outputs by name, or the code of the error. */
type Outcome = Record<string, Uint8Array> | string;

/** By title; one process, a context for each operation. */
async function outcomesOf(libraries: QairtLibraries, soc: number, ops: readonly OneOp[] = OPS): Promise<Map<string, Outcome>> {
  return withEmulator({ libraries, soc }, async (child) => {
    const run = async (op: OneOp): Promise<Outcome> => {
      const context = await child.call('createContext', { weightSharing: false });
      const graph = await child.call('composeGraph', { context, ...graphOf(op) });
      await child.call('finalize', { graph });
      return child.call('execute', { graph, inputs: fedInputs(op) });
    };
    const outcomes = new Map<string, Outcome>();
    for (const op of ops) outcomes.set(titleOf(op), await run(op).catch((error: { readonly code?: string }) => error.code ?? String(error)));
    return outcomes;
  });
}

const WITHIN = 'within its gate';

function verdictOf(op: OneOp, outcome: Outcome | undefined): string {
  if (typeof outcome !== 'object') return outcome ?? 'not run';
  const { max, bias, share } = errorOf(op, outcome);
  return share <= 1 ? WITHIN : `off by ${max.toFixed(2)}, on average ${bias.toFixed(3)}`;
}

/** Operations with other codes. */
function differencesOf(expected: ReadonlyMap<string, Outcome>, found: ReadonlyMap<string, Outcome>): string[] {
  return OPS.filter(({ varies }) => varies !== true).map(titleOf).filter((title) => !isDeepStrictEqual(expected.get(title), found.get(title)));
}

const PRODUCT = 'ElementWiseMultiply, u16 and u16';

/** What has not the codes of build 2.51 for chip 69, by build and by chip. */
const OTHER_CODES: Readonly<Record<string, readonly string[]>> = {
  '2.49': ['MatMul, u16 x u16', 'RotaryEmbedding, u16, halves', 'Tanh, u16', PRODUCT, 'Convert, u16 to u16'],
  '2.47': ['MatMul, u16 x u16', 'RotaryEmbedding, u16, halves', 'Tanh, u16', 'Convert, u16 to u16'],
  '87': ['Dequantize, u16 to fp32'],
};

/** Codes of the first output. */
function codesOf(outcomes: ReadonlyMap<string, Outcome>, title: string): Uint16Array {
  return elementsOf((outcomes.get(title) as Record<string, Uint8Array>)['y0'] as Uint8Array, ELEMENT_CODES.UFIXED_POINT_16) as Uint16Array;
}

it('is what the page lists', () => {
  const page = readFileSync(new URL('../../../docs/qairt-composer.md', import.meta.url), 'utf8');
  const section = /^## Operations by themselves$([^]*?)(?=^## )/m.exec(page)?.[1] ?? '';
  expect(section.split('\n').filter((line) => line.startsWith('| ')).slice(1)).toEqual(OPS.map(documentedRow));
});

describeWith(real.slice(0, 1), 'by themselves, against %s', (_newest, newest) => {
  let expected: Map<string, Outcome>;
  beforeAll(async () => {
    expected = await outcomesOf(newest, 69);
  });

  it.each(real.flatMap(([title, libraries], i) => (i === 0 ? [43, 57, 69, 87] : [69]).map((soc) => [soc, title, libraries] as const)))('on chip %i, %s', async (soc, _title, libraries) => {
    const ops = OPS.filter(({ endlessOn }) => endlessOn !== soc);
    const found = await outcomesOf(libraries, soc, ops);
    expect(ops.map((op) => `${titleOf(op)}: ${verdictOf(op, found.get(titleOf(op)))}`)).toEqual(ops.map((op) => `${titleOf(op)}: ${op.refused ?? WITHIN}`));
    const { release } = await describeLibraries(libraries);
    expect(differencesOf(expected, found)).toEqual(OTHER_CODES[release ?? ''] ?? OTHER_CODES[soc] ?? []);
    const steps = codesOf(found, PRODUCT).map((code, i) => code - (codesOf(expected, PRODUCT)[i] as number));
    const above = steps.filter((step) => step === 1).length / steps.length;
    expect([steps.every((step) => step === 0 || step === 1), above > 0.04, above > 0.08]).toEqual([true, release === '2.49', false]);
  });

  it('is refused by the chip before v73 where both factors have 16 bits', async () => {
    const wide = OPS.filter(({ form }) => ['u16 x int16 a channel', 'u16 x u16'].includes(form));
    expect(wide).toHaveLength(3);
    const found = await outcomesOf(newest, 30, wide);
    expect([...found.values()]).toEqual(wide.map(() => 'QAIRT_OPERATION_UNSUPPORTED'));
  });

  it('has no gate that lets sixteen codes more pass', () => {
    const quantized = OPS.filter(({ refused, outputs }) => refused === undefined && outputs.every(({ quantization }) => quantization !== undefined));
    expect(quantized.length).toBeGreaterThan(40);
    const moved = (outcome: Outcome | undefined, { outputs }: OneOp): Outcome => Object.fromEntries(outputs.map(({ element }, i) => {
      const codes = elementsOf((outcome as Record<string, Uint8Array>)[`y${i}`] as Uint8Array, element);
      return [`y${i}`, new Uint8Array(codes.map((code) => (code + 16)).buffer)];
    }));
    expect(quantized.filter((op) => verdictOf(op, moved(expected.get(titleOf(op)), op)) === WITHIN).map(titleOf)).toEqual([]);
  });
});
