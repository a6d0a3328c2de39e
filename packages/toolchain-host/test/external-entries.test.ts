/** The rewriter changes entries of external tensors and no other byte. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { DataType, encodeModel } from '@tundish/graph';
import { moveRanges, neededBytes, rangesOf } from '../src/compiled-data.js';
import { editExternalEntries, readExternalEntries } from '../src/external-entries.js';
import { modelOf } from './small-graph.js';

function model(location: string, offset: number) {
  return modelOf((graph) => {
    const w = graph.addInitializer('w', { kind: 'external', dtype: DataType.FLOAT, dims: [4], location, offset, length: 16 });
    graph.outputs.push(graph.addNode({ opType: 'Add', inputs: [graph.addInput('x', DataType.FLOAT, [4]), w], outputs: ['y'] }).output());
  });
}

it('returns the same bytes when nothing is edited, and those of a model written with the new values otherwise', () => {
  const name = fc.stringMatching(/^[a-z]{1,300}$/);
  fc.assert(
    fc.property(name, name, fc.nat(), fc.nat(), (from, to, before, after) => {
      const bytes = encodeModel(model(from, before));
      expect(editExternalEntries(bytes, (entries) => entries)).toEqual(bytes);
      const edited = editExternalEntries(bytes, (entries) => new Map(entries).set('location', to).set('offset', String(after)));
      expect(edited).toEqual(encodeModel(model(to, after)));
      expect(readExternalEntries(edited).map((entries) => entries.get('location'))).toEqual([to]);
    }),
  );
});

it('refuses a model that ends inside a field, and fails in no other way', () => {
  const bytes = encodeModel(model('data', 64));
  const refused = Array.from({ length: bytes.length }, (_, length) => length).filter((length) => {
    try {
      editExternalEntries(bytes.subarray(0, length), (entries) => entries);
      return false;
    } catch (error) {
      expect(error).toMatchObject({ code: 'HOST_FILE_DAMAGED' });
      return true;
    }
  });
  // Only the ends of the few fields of the outermost message look whole.
  expect(bytes.length - refused.length).toBeLessThan(8);
});

it('moves a tensor together with its prepacked forms', () => {
  const entries = new Map([['location', 'd'], ['offset', '10'], ['length', '5'], ['prepacked_0', 'MatMul+1|100;7;0|200;9;3'], ['prepacked_1', 'Gemm+2|300;1;0']]);
  expect(rangesOf(entries)).toEqual([{ offset: 10, length: 5 }, { offset: 100, length: 7 }, { offset: 200, length: 9 }, { offset: 300, length: 1 }]);
  expect(neededBytes([entries])).toBe(301);
  expect(Object.fromEntries(moveRanges(entries, ({ offset }) => offset + 1))).toEqual({ location: 'd', offset: '11', length: '5', prepacked_0: 'MatMul+1|101;7;0|201;9;3', prepacked_1: 'Gemm+2|301;1;0' });
  expect(() => rangesOf(new Map([['location', 'd'], ['offset', '-1'], ['length', '5']]))).toThrow(/HOST_FILE_DAMAGED/);
});
