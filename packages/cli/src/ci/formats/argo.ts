/** A Workflow of Argo: one task a shard, each after those whose results it reads. */
import { stringify } from 'yaml';
import { type PlanFormat, shardContainer } from './format.js';

export const argoFormat: PlanFormat = ({ waves }, options) => {
  if (waves.length === 0) return '';
  const { name = 'tundish', setup } = options;
  const tasks = waves.flat().map(({ name: shard, after, command }) => ({
    name: shard,
    template: 'shard',
    ...(after.length === 0 ? {} : { dependencies: after }),
    arguments: { parameters: [{ name: 'command', value: command }] },
  }));
  const run = '{{inputs.parameters.command}}';
  return stringify(
    {
      apiVersion: 'argoproj.io/v1alpha1',
      kind: 'Workflow',
      metadata: { generateName: `${name}-` },
      spec: {
        entrypoint: 'build',
        templates: [
          { name: 'build', dag: { tasks } },
          { name: 'shard', inputs: { parameters: [{ name: 'command' }] }, retryStrategy: { limit: '2' }, container: { name: 'main', ...shardContainer(options), args: [setup === undefined ? run : `${setup}\n${run}`] } },
        ],
      },
    },
    { lineWidth: 0 },
  );
};
