/** The run list: every file that has to lie in the folder on the device, and where it comes from. */
import type { Chip, DeviceSystem } from '@tundish/recipe/chips';
import type { BundlePlan } from './bundle-plan.js';

export interface RunListEntry {
  /** `bundle`: path in the bundle. `sdk`: path below the vendor's SDK. */
  readonly from: 'bundle' | 'sdk';
  readonly path: string;
  /** Some SDKs lack it, and the bundle runs without it. */
  readonly optional: boolean;
}

export const RUN_LIST_FILE = 'run_list.txt';
export const GENIE_PROGRAM = 'genie-t2t-run';

/** Files of the bundle that Genie reads first; then libraries for the processor's host side, the program, and those that run on the processor. */
export function runList(plan: BundlePlan, made: readonly string[]): RunListEntry[] {
  const own = [...plan.parts.map(({ file }) => file), plan.tokenizer, ...made];
  return [...own.map((path): RunListEntry => ({ from: 'bundle', path, optional: false })), ...libraries(plan.chip, plan.device.system)];
}

/** One entry a line: where from, whether it must be there, and the path. */
export function runListText(entries: readonly RunListEntry[]): string {
  return entries.map(({ from, path, optional }) => `${from} ${optional ? 'optional' : 'required'} ${path}\n`).join('');
}

function libraries(chip: Chip, system: DeviceSystem): RunListEntry[] {
  const version = `V${chip.hexagon}`;
  const required = (path: string): RunListEntry => ({ from: 'sdk', path, optional: false });
  const optional = (path: string): RunListEntry => ({ from: 'sdk', path, optional: true });
  const hexagon = `lib/hexagon-v${chip.hexagon}/unsigned`;
  if (system === 'windows') {
    const folder = 'aarch64-windows-msvc';
    const names = ['QnnHtp.dll', `QnnHtp${version}Stub.dll`, 'QnnHtpPrepare.dll', 'QnnHtpNetRunExtensions.dll', 'QnnSystem.dll', 'Genie.dll'];
    return [...names.map((name) => required(`lib/${folder}/${name}`)), required(`bin/${folder}/${GENIE_PROGRAM}.exe`), required(`${hexagon}/libQnnHtp${version}Skel.so`), required(`${hexagon}/libqnnhtp${version.toLowerCase()}.cat`)];
  }
  const folder = system === 'android' ? 'aarch64-android' : 'aarch64-oe-linux-gcc11.2';
  const names = ['libQnnHtp.so', `libQnnHtp${version}Stub.so`, 'libQnnSystem.so', 'libQnnHtpNetRunExtensions.so', 'libGenie.so'];
  return [
    ...names.map((name) => required(`lib/${folder}/${name}`)),
    optional(`lib/${folder}/libQnnHtpPrepare.so`),
    required(`bin/${folder}/${GENIE_PROGRAM}`),
    required(`${hexagon}/libQnnHtp${version}Skel.so`),
    optional(`${hexagon}/libQnnHtp${version}.so`),
  ];
}
