/** The pass runner names the pass and the promise that failed. */
import { TundishError } from '@tundish/diagnostics';
import { expect, test } from 'vitest';
import { type Model, type Pass, runPasses } from '../src/index.js';
import { denseModel } from './models.js';

const holds = (): void => undefined;

/** Swaps Sigmoid for Relu. */
const toRelu: Pass = {
  name: 'to-relu',
  requires: holds,
  run: ({ graph }: Model) => {
    const node = graph.nodes.find(({ opType }) => opType === 'Sigmoid');
    if (node === undefined) return { modified: false };
    graph.replaceProducer(node.output(), { opType: 'Relu', inputs: node.inputs });
    return { modified: true };
  },
  ensures: ({ graph }) => {
    if (graph.nodes.some(({ opType }) => opType === 'Sigmoid')) throw new TundishError('TEST', { what: 'a Sigmoid is left' });
  },
};

test('reports which passes changed the model', () => {
  const model = denseModel();
  expect(runPasses(model, [toRelu, toRelu])).toEqual({ ran: [{ pass: 'to-relu', modified: true }, { pass: 'to-relu', modified: false }], modified: true });
  expect(model.graph.nodes.map(({ opType }) => opType)).toEqual(['MatMul', 'Add', 'Relu']);
});

test('a demand that does not hold stops before the pass runs', () => {
  const model = denseModel();
  const picky: Pass = { ...toRelu, name: 'picky', requires: () => { throw new TundishError('TEST', { what: 'no quantized weights' }); } };
  expect(() => runPasses(model, [picky])).toThrow(/GRAPH_PASS: pass picky does not accept this graph: no quantized weights/);
  expect(model.graph.nodes.map(({ opType }) => opType)).toContain('Sigmoid');
});

test('a promise that does not hold is an error of that pass', () => {
  expect(() => runPasses(denseModel(), [{ ...toRelu, name: 'lazy', run: () => ({ modified: false }) }])).toThrow(/pass lazy broke its promise: a Sigmoid is left/);
});

test('a graph that no longer fits together is an error of that pass', () => {
  const careless: Pass = {
    name: 'careless',
    requires: holds,
    run: ({ graph }) => {
      graph.nodes[0]?.replaceInput(0, graph.value('b'));
      graph.nodes[0]?.replaceInput(1, graph.value('x'));
      return { modified: true };
    },
    ensures: holds,
  };
  expect(() => runPasses(denseModel(), [careless])).toThrow(/pass careless left an inconsistent graph: \/mm: inner dims 4 and 2/);
});
