/** Names for devices: reduced to C identifiers, and refused when two become one. */
import { expect, test } from 'vitest';
import { DataType as T, Graph, checkSanitisedNames, sanitiseName } from '../src/index.js';
import { denseModel } from './models.js';

test.each([
  ['/model/layers.0/self_attn/q_proj/MatMul_output_0', '_model_layers_0_self_attn_q_proj_MatMul_output_0'],
  ['past_key_0_in', 'past_key_0_in'],
  ['0', '_0'],
  ['größe', 'gr__e'],
])('%s becomes %s', (name, sanitised) => expect(sanitiseName(name)).toBe(sanitised));

test('names that stay apart pass', () => expect(() => checkSanitisedNames(denseModel().graph)).not.toThrow());

test('a node may have the name of a value, two nodes may not collide', () => {
  const graph = new Graph('names');
  const x = graph.addInput('x', T.FLOAT, [1]);
  graph.addNode({ opType: 'Relu', name: 'x', inputs: [x], outputs: ['y'] });
  expect(() => checkSanitisedNames(graph)).not.toThrow();
  graph.addNode({ opType: 'Relu', name: 'a-b', inputs: [x], outputs: ['z'] });
  graph.addNode({ opType: 'Relu', name: 'a b', inputs: [x], outputs: ['w'] });
  expect(() => checkSanitisedNames(graph)).toThrow(/nodes a-b and a b are both a_b on a device/);
});
