/** doctor: what this machine and this workspace have, what is missing, and what to do about it. */
import { textTable } from '@tundish/diagnostics';
import type { Finding } from '../doctor/finding.js';
import { cacheFindings, memoryFinding, processorFinding } from '../doctor/machine.js';
import { modelFindings } from '../doctor/models.js';
import { remoteFindings } from '../doctor/remote.js';
import { hostFinding, kernelFindings, nodeFinding, nxFinding, qairtFinding } from '../doctor/tools.js';
import { cacheRootOf } from '../environment.js';
import type { Io } from '../io.js';

export interface DoctorOptions {
  readonly workspaceRoot: string;
  readonly json: boolean;
}

/** @returns exit code: 1 when something is missing that builds need */
export async function doctorCommand({ workspaceRoot, json }: DoctorOptions, io: Io): Promise<number> {
  const [host, qairt, kernels, models, remote] = await Promise.all([hostFinding(), qairtFinding(), kernelFindings(), modelFindings(workspaceRoot), remoteFindings()]);
  const findings = [nodeFinding(), nxFinding(workspaceRoot), host, qairt, ...kernels, processorFinding(), memoryFinding(), ...cacheFindings(cacheRootOf(workspaceRoot)), ...remote, ...models];
  const ok = findings.every(({ status }) => status !== 'problem');
  io.out(json ? `${JSON.stringify({ ok, findings }, null, 2)}\n` : describe(findings));
  return ok ? 0 : 1;
}

function describe(findings: readonly Finding[]): string {
  const troubles = findings.filter(({ status }) => status !== 'ok');
  const table = textTable(['what', 'state', 'found'], findings.map(({ name, status, value }) => [name, status, value]));
  const fixes = troubles.flatMap(({ name, status, fix }) => [`${status}: ${name}`, `  fix: ${fix ?? ''}`]);
  return `${[...table, '', ...(troubles.length === 0 ? ['nothing is missing'] : fixes)].join('\n')}\n`;
}
