/** The lock of a device build as it can run on this machine: in the emulator, where weights are not shared, or simulated by the host. */
import { printable } from '@tundish/diagnostics';
import type { Lock } from '@tundish/recipe/lock';
import { stageError } from './errors.js';

/**
 * The same graphs, each with its own copy of the weights: what shares them is loaded by devices alone.
 *
 * @param chip of several, by its name; absent: the first
 * @throws STAGE_EXECUTION for a model that is not built for a device, or not for this chip
 */
export function emulatorLock(lock: Lock, chip?: string): Lock {
  const { compile } = lock.stages;
  const options = deviceOptions(lock);
  const chosen = options.chips.find(({ name }) => chip === undefined || name.toLowerCase() === chip.toLowerCase());
  if (chosen === undefined) throw stageError('STAGE_EXECUTION', { what: `${lock.model} is not built for ${printable(chip ?? '')}`, fix: `name one of ${options.chips.map(({ name }) => name).join(', ')}` });
  return { ...lock, parts: Object.fromEntries(partsOf(lock, chosen.name)), stages: { ...lock.stages, compile: { ...compile, options: { ...options, chips: [{ ...chosen, weightSharing: false }] } } } };
}

/**
 * The same quantized model, lowered for the host, which computes as the processor does; in float32 what is half floats there.
 *
 * @param version of the host's toolchain
 * @throws STAGE_EXECUTION for a model that is not built for a device
 */
export function simulationLock(lock: Lock, version: string): Lock {
  const options = deviceOptions(lock);
  const toolchain = { name: 'host', version };
  const { convert, compile, package: pack } = lock.stages;
  return {
    ...lock, parts: Object.fromEntries(partsOf(lock, options.chips[0]?.name).map(([, { part, parts, cells }]) => [`part${part}of${parts}`, { part, parts, cells }])),
    stages: { ...lock.stages, convert: { ...convert, options: convert.options.precision === 'fp16' ? {} : { ...convert.options, numerics: 'htp' }, toolchain }, compile: { ...compile, options: { prepack: true }, toolchain }, package: { ...pack, options: {} } },
  };
}

function deviceOptions({ model, stages }: Lock): Extract<Lock['stages']['compile']['options'], { chips: unknown }> {
  const { options } = stages.compile;
  if ('chips' in options) return options;
  throw stageError('STAGE_EXECUTION', { what: `${model} is not built for a device`, why: `its toolchain is ${stages.compile.toolchain.name}`, fix: 'write toolchain: qairt and a chipset into its recipe' });
}

/** Those of one chip. */
function partsOf({ parts }: Lock, chip: string | undefined): [name: string, part: Lock['parts'][string]][] {
  return Object.entries(parts).filter(([, part]) => part.chip === chip);
}
