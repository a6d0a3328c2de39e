/** Kubernetes: an Indexed Job a wave, of which the first runs and the others wait to be resumed. */
import { stringify } from 'yaml';
import { type PlanFormat, shardCases, shardContainer } from './format.js';

/** Times that a shard is tried again on another pod. */
const RETRIES = 2;

export const kubernetesFormat: PlanFormat = ({ waves }, options) => {
  const { name = 'tundish', setup } = options;
  const jobs = waves.map((wave, index) => ({
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name: `${name}-wave-${index}`, labels: { 'app.kubernetes.io/name': 'tundish', 'app.kubernetes.io/instance': name } },
    spec: {
      completionMode: 'Indexed',
      completions: wave.length,
      parallelism: wave.length,
      backoffLimitPerIndex: RETRIES,
      // Jobs know no order: whoever applies this resumes a wave when the one before it is complete.
      suspend: index > 0,
      template: { spec: { restartPolicy: 'Never', containers: [{ name: 'shard', ...shardContainer(options), args: [`${setup === undefined ? '' : `${setup}\n`}${shardCases('JOB_COMPLETION_INDEX', wave)}`] }] } },
    },
  }));
  return jobs.map((job) => stringify(job, { lineWidth: 0 })).join('---\n');
};
