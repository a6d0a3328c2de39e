/** A child pipeline of GitLab: one job a wave, with a matrix over its shards. */
import { stringify } from 'yaml';
import type { BuildPlan } from '../build-plan.js';
import { type PlanFormat, requireMatrixSize, shardCases } from './format.js';

/** Jobs of one matrix (docs.gitlab.com, keyword `parallel:matrix`). */
const MAX_JOBS = 200;

export const gitlabFormat: PlanFormat = ({ waves, models, target }, { image, setup = 'npm ci' }) => {
  requireMatrixSize(waves, 'GitLab', MAX_JOBS);
  // A pipeline without jobs is an error there.
  if (waves.length === 0) return stringify({ 'nothing-to-build': { script: ['echo "nothing to build"'] } });
  const names = waves.map((_, index) => `wave-${index}`);
  const containers = target === 'compile' ? { artifacts: { paths: models.map(({ root }) => `${root}/artifacts/container`) } } : {};
  return stringify(
    {
      stages: names,
      default: { ...(image === undefined ? {} : { image }), before_script: [setup] },
      ...Object.fromEntries(waves.map((wave, index) => [names[index], { ...jobOf(wave, names[index] as string), ...(index === waves.length - 1 ? containers : {}) }])),
    },
    { lineWidth: 0 },
  );
};

function jobOf(wave: BuildPlan['waves'][number], stage: string): object {
  return { stage, parallel: { matrix: [{ SHARD: wave.map((_, index) => String(index)) }] }, script: [shardCases('SHARD', wave)] };
}
