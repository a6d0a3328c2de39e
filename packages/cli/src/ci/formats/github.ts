/** Matrices of GitHub Actions: on one line, as an output of a step takes it, for `fromJSON`. */
import { cliError } from '../../errors.js';
import type { BuildPlan } from '../build-plan.js';
import { type PlanFormat, requireMatrixSize } from './format.js';

/** Jobs of one matrix (docs.github.com, "Running variations of jobs in a workflow"). */
const MAX_JOBS = 256;
/** Waves of a model before the one that makes its container: its stages, its cells, its parts. */
const MAX_WAVES = 3;

/** `{"waves": [MATRIX, …], "package": MATRIX}`: the last wave by itself, since the number of jobs of a workflow is fixed. */
export const githubFormat: PlanFormat = ({ waves }) => {
  requireMatrixSize(waves, 'GitHub Actions', MAX_JOBS);
  if (waves.length > MAX_WAVES + 1) throw cliError('CLI_CI_SIZE', { what: `the plan has ${waves.length} waves`, why: `the workflow has jobs for ${MAX_WAVES + 1}`, fix: 'build the models one after the other: name one of them' });
  const [last, ...earlier] = [...waves].reverse();
  return `${JSON.stringify({ waves: earlier.reverse().map(matrixOf), package: last === undefined ? null : matrixOf(last) })}\n`;
};

function matrixOf(wave: BuildPlan['waves'][number]): object {
  return { include: wave.map(({ name, command }) => ({ name, command })) };
}
