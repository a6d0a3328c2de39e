/** The target that builds the native kernels: our own repository has one, an installed plugin brings the built kernels with it. */
import { join } from 'node:path';
import type { TargetDependencyConfig } from '@nx/devkit';
import { readProjectJson } from '../model-folders.js';

export function nativeBuild(workspaceRoot: string): TargetDependencyConfig | undefined {
  const project = readProjectJson(join(workspaceRoot, 'native', 'project.json'));
  return typeof project?.name === 'string' && project.targets?.['build'] !== undefined ? { projects: [project.name], target: 'build' } : undefined;
}
