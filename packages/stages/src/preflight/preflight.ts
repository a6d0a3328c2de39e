/** Everything that can be known before any work, in less than a second: from the lock, config.json and headers alone. */
import { existsSync } from 'node:fs';
import { type TundishError, formatBytes } from '@tundish/diagnostics';
import { type Lock, type QuantizeOptions, STAGE_NAMES, type StageName } from '@tundish/recipe/lock';
import type { WeightScheme } from '@tundish/recipe/weight-scheme';
import type { Toolchain } from '@tundish/toolchain';
import { stageError } from '../errors.js';
import type { ModelLayout } from '../layout.js';
import { checkPin, identityFor } from '../pinned-tool.js';
import { unitsOf } from '../plan.js';
import type { Adapters } from '../stage.js';
import type { Estimates } from './estimates.js';
import { type MachineRoom, machineRoom } from './machine.js';
import { overLimit, smallerBuild } from './over-limit.js';

export interface PreflightRequest {
  readonly layout: ModelLayout;
  readonly lock: Lock;
  readonly cacheRoot: string;
  readonly hubCache: string;
  readonly adapters: Adapters;
  /** Memory that no stage may exceed, bytes. */
  readonly maxMemory?: number;
  /** Stages before this one are done already. */
  readonly from?: StageName;
}

/** What is wrong, or will be. With an error the build cannot succeed; with a warning it may. */
export interface Finding {
  readonly severity: 'error' | 'warning';
  readonly problem: TundishError;
}

export interface Preflight {
  readonly findings: readonly Finding[];
  /** Absent when the checkpoint is not on this machine yet, or lacks blocks. */
  readonly estimates?: Estimates;
  readonly room: MachineRoom;
}

/** Finds everything at once; throws nothing that it can report. @throws what is wrong with config.json or a header */
export async function preflight(request: PreflightRequest): Promise<Preflight> {
  const pin = request.lock.stages.compile.toolchain;
  const toolchain = request.adapters.toolchain(pin.name);
  const [room, estimates, identity] = await Promise.all([machineRoom(request.cacheRoot), estimatesOf(request), identityFor(toolchain, pin)]);
  const tool = checkPin(request.layout, pin, identity);
  const findings = [
    ...(tool === undefined ? [] : [error(tool)]),
    ...limitFindings(request.lock, toolchain, estimates),
    ...(estimates === undefined ? [unseenSource(request)] : [...memoryFindings(request, estimates, room), ...diskFindings(request, estimates, room)]),
  ];
  return { findings, room, ...(estimates === undefined ? {} : { estimates }) };
}

/** What each stage will need; undefined when the checkpoint is not on this machine yet, or lacks blocks. */
export async function estimatesOf(request: Pick<PreflightRequest, 'layout' | 'lock' | 'cacheRoot' | 'hubCache' | 'adapters'>): Promise<Estimates | undefined> {
  // Loaded here: the plugin and every hit load this package, and few of them look.
  const [{ sourceFolder }, { readShapes }, { estimateNeeds }] = await Promise.all([import('./source-folder.js'), import('./shapes.js'), import('./estimates.js')]);
  const folder = await sourceFolder(request);
  if (folder === undefined) return undefined;
  const shapes = await readShapes(folder, Object.keys(request.lock.source.files));
  if (shapes.blocks.length !== shapes.config.numHiddenLayers) return undefined;
  const pin = request.lock.stages.compile.toolchain;
  const { operators } = await identityFor(request.adapters.toolchain(pin.name), pin);
  return estimateNeeds(request.lock, shapes, operators !== '');
}

function limitFindings({ parts, stages }: Lock, toolchain: Toolchain, estimates: Estimates | undefined): Finding[] {
  const { partBytes, graphsPerPart } = toolchain.limits();
  const { options } = stages.quantize;
  const findings: Finding[] = options === 'none' || 'source' in options ? [] : schemeFindings(options, toolchain);
  for (const [name, { cells }] of Object.entries(parts)) {
    if (graphsPerPart === undefined || cells.length <= graphsPerPart) continue;
    findings.push(error(stageError('PREFLIGHT_GRAPHS', { what: `${name} would hold ${cells.length} graphs`, why: `${toolchain.name} takes ${graphsPerPart} at most`, fix: 'name fewer values in graphs.ar or graphs.cl' })));
  }
  const largest = Math.max(0, ...(estimates?.parts ?? []));
  if (partBytes !== undefined && largest > partBytes) {
    const total = (estimates?.parts ?? []).reduce((sum, bytes) => sum + bytes, 0);
    findings.push(error(stageError('PREFLIGHT_PART_SIZE', {
      what: `the largest of ${estimates?.parts.length} parts would have about ${formatBytes(largest)} of weights`,
      why: `${toolchain.name} takes ${formatBytes(partBytes)} a part at most`,
      fix: `write graphs: { parts: ${Math.ceil(total / partBytes)} } or more`,
    })));
  }
  return findings;
}

/** One finding for each scheme or block size that the toolchain does not compile. */
function schemeFindings({ weights, overrides = {}, mixedPrecision }: QuantizeOptions, toolchain: Toolchain): Finding[] {
  const { weightSchemes, blockSizes } = toolchain.limits();
  const written: readonly (readonly [string, WeightScheme])[] = [
    ['quantize.weights', weights],
    ...Object.entries(overrides).map(([name, scheme]) => [`quantize.overrides of ${name}`, scheme] as const),
    ...(mixedPrecision === undefined ? [] : [['quantize.mixedPrecision', { scheme: 'per_channel', bits: 8 }] as const]),
  ];
  const findings = new Map<string, Finding>();
  for (const [place, scheme] of written) {
    if (weightSchemes?.includes(scheme.scheme) === false && !findings.has(scheme.scheme)) {
      findings.set(scheme.scheme, error(stageError('PREFLIGHT_SCHEME', { what: `${place}: scheme ${scheme.scheme}`, why: `${toolchain.name} compiles ${weightSchemes.join(', ')}`, fix: `write scheme: ${weightSchemes[0]}` })));
    }
    if (!('blockSize' in scheme) || blockSizes?.includes(scheme.blockSize) !== false || findings.has(`${scheme.blockSize}`)) continue;
    findings.set(`${scheme.blockSize}`, error(stageError('PREFLIGHT_BLOCK_SIZE', { what: `${place}: blockSize ${scheme.blockSize}`, why: `${toolchain.name} compiles block sizes ${blockSizes.join(', ')}`, fix: `write blockSize: ${blockSizes.at(-1)}` })));
  }
  return [...findings.values()];
}

function memoryFindings({ maxMemory, from = 'load' }: PreflightRequest, { stages }: Estimates, room: MachineRoom): Finding[] {
  const left = STAGE_NAMES.slice(STAGE_NAMES.indexOf(from));
  const findings = left.flatMap((stage) => (maxMemory === undefined || stages[stage].memory <= maxMemory ? [] : [error(overLimit(stage, stages[stage].memory, maxMemory))]));
  const stage = left.reduce((worst, next) => (stages[next].memory > stages[worst].memory ? next : worst));
  const need = stages[stage].memory;
  if (need <= room.memoryAvailable) return findings;
  const never = need > room.memoryTotal;
  const problem = stageError('PREFLIGHT_MEMORY', {
    what: `${stage} needs about ${formatBytes(need)} of memory`,
    why: never ? `this machine has ${formatBytes(room.memoryTotal)}` : `of ${formatBytes(room.memoryTotal)} on this machine ${formatBytes(room.memoryAvailable)} are free now`,
    fix: never ? smallerBuild(stage) : 'end other programs, or expect the system to swap or to kill the build; what was finished stays cached',
  });
  return [...findings, { severity: never ? 'error' : 'warning', problem }];
}

/** A unit whose stage.json is in place is taken to be in the store; a stage that must run again may need more than is counted here. */
function diskFindings({ layout, lock, cacheRoot, from = 'load' }: PreflightRequest, { stages }: Estimates, { diskAvailable }: MachineRoom): Finding[] {
  const left = STAGE_NAMES.slice(STAGE_NAMES.indexOf(from));
  const units = unitsOf(lock);
  const missing = (stage: StageName): number => {
    const own = units.filter((unit) => unit.stage === stage);
    return own.filter(({ subject }) => !existsSync(layout.manifest(stage, subject))).length / own.length;
  };
  const need = left.reduce((sum, stage) => sum + stages[stage].disk * missing(stage), 0) + Math.max(...left.map((stage) => (missing(stage) > 0 ? stages[stage].scratch : 0)));
  if (need <= diskAvailable) return [];
  return [error(stageError('PREFLIGHT_DISK', {
    what: `the build will write about ${formatBytes(need)}, the disk has ${formatBytes(diskAvailable)} left`,
    evidence: { path: cacheRoot },
    fix: 'free some space, or move the cache to another disk: TUNDISH_CACHE_ROOT=FOLDER',
  }))];
}

function unseenSource({ lock }: PreflightRequest): Finding {
  const problem = stageError('PREFLIGHT_SOURCE', { what: `the checkpoint ${lock.source.location} is not on this machine yet, or not whole`, why: 'without its headers nothing is known of the memory and the disk that the build needs' });
  return { severity: 'warning', problem };
}

function error(problem: TundishError): Finding {
  return { severity: 'error', problem };
}
