/** The largest resident memory while some work runs, and since the process began. */
import { readFileSync, writeFileSync } from 'node:fs';
import { residentMemory } from './resident-memory.js';

export interface MeasuredMemory {
  /** The largest resident set of the process, all threads included, or of it and those that it started at one time. */
  readonly bytes: number;
  /** `unit`: it was reached during the work; `process`: at the latest then, where the system cannot say which. */
  readonly of: 'unit' | 'process';
}

/** Work that is being measured. Spans may lie inside each other and overlap. */
interface Span {
  /** The mark of the system when the span began; 0 where it was set back. */
  readonly from: number;
  peak: number;
  readonly onLook?: ((bytes: number) => void) | undefined;
}

/** Milliseconds between two looks: the system marks the peak of one process, not that of several together. */
const INTERVAL = 100;

const open = new Set<Span>();
/** Marks that were set back. */
let highest = 0;
let looking: NodeJS.Timeout | undefined;

/** @param onLook gets what is resident now, as often as it is looked at */
export async function measureMemory<T>(work: () => Promise<T>, onLook?: (bytes: number) => void): Promise<{ readonly result: T; readonly memory: MeasuredMemory }> {
  const mark = note();
  const span: Span = { from: setBack() ? 0 : mark, peak: 0, onLook };
  open.add(span);
  looking ??= setInterval(look, INTERVAL);
  try {
    const result = await work();
    note();
    return { result, memory: { bytes: span.peak, of: span.peak > span.from ? 'unit' : 'process' } };
  } finally {
    open.delete(span);
    if (open.size === 0) {
      clearInterval(looking);
      looking = undefined;
    }
  }
}

/** Since the process began, bytes. */
export function processPeak(): number {
  note();
  return highest;
}

function look(): void {
  const bytes = residentMemory();
  reached(bytes);
  for (const { onLook } of open) onLook?.(bytes);
}

/** Every span that is open has reached what the system has marked: a mark is set back only after this. */
function note(): number {
  const mark = systemMark();
  reached(mark);
  return mark;
}

function reached(bytes: number): void {
  highest = Math.max(highest, bytes);
  for (const span of open) span.peak = Math.max(span.peak, bytes);
}

/** VmHWM of proc(5), which can be set back; elsewhere what getrusage says, which cannot. */
function systemMark(): number {
  const now = process.memoryUsage.rss();
  try {
    const [, kilobytes] = /^VmHWM:\s*(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8')) ?? [];
    if (kilobytes !== undefined) return Math.max(now, Number(kilobytes) * 1024);
  } catch {
    // No Linux, or no /proc.
  }
  return Math.max(now, process.resourceUsage().maxRSS * 1024);
}

/** proc(5), /proc/pid/clear_refs: 5 sets the mark to what is resident now. */
function setBack(): boolean {
  try {
    writeFileSync('/proc/self/clear_refs', '5');
    return true;
  } catch {
    return false;
  }
}
