/** What is fetched and under which licence, in three lines: a yes to it is asked for before anything is. */
import { printable } from '@tundish/diagnostics';
import type { SupportedBuild } from './builds.js';

/**
 * Summary of the licence inside the wheel; the text itself is what counts.
 *
 * @param source what is fetched, or the path of a wheel that is there already
 */
export function licenceNotice(source: SupportedBuild | string): readonly [string, string, string] {
  const what = typeof source === 'string' ? `${printable(source)}: a wheel of onnxruntime-qnn, the libraries of QAIRT` : `onnxruntime-qnn ${source.wheel} from the Python package index: about 100 MB, the libraries of QAIRT ${source.release}`;
  return [
    `${what} (c) Qualcomm Technologies, Inc.`,
    'Licence: AI Stack License, in the wheel as onnxruntime_qnn/Qualcomm_LICENSE.pdf. It allows use and copies for the development of your own software.',
    'It forbids reverse engineering, disassembly, and passing the libraries on by themselves: they stay in your cache, and go into no repository or container.',
  ];
}
