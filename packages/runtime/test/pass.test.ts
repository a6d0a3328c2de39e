/** Which graph runs next. */
import { describe, expect, it } from 'vitest';
import { type PassState, capacityOf, decodePass, prefillPass } from '../src/pass.js';

const ARS = [1, 16, 128];
const LENGTHS = [512, 1024];
const START: PassState = { position: 0, contextLength: 512 };

/** `AR x tokens @ CL` of every pass that a prompt takes. */
function passes(prompt: number, state: PassState = START): string[] {
  const taken: string[] = [];
  let { position, contextLength } = state;
  for (let left = prompt; left > 0; ) {
    const { ar, cl, count } = prefillPass(ARS, LENGTHS, { position, contextLength }, left);
    taken.push(`${ar}x${count}@${cl}`);
    [left, position, contextLength] = [left - count, position + count, cl];
  }
  return taken;
}

describe('prefill', () => {
  it('reads a long prompt in the largest passes, and its rest in what is fastest for so few tokens', () => {
    expect(passes(256)).toEqual(['128x128@512', '128x128@512']);
    expect(passes(128 + 17)).toEqual(['128x128@512', '128x17@512']);
    expect(passes(128 + 16)).toEqual(['128x128@512', '16x16@512']);
    expect(passes(128 + 2)).toEqual(['128x128@512', '1x1@512', '1x1@512']);
    expect(passes(3)).toEqual(['16x3@512']);
    expect(passes(1)).toEqual(['1x1@512']);
  });

  it('grows the context when the tokens do not fit beside a pass, and never shrinks it', () => {
    expect(passes(128, { position: 400, contextLength: 512 })).toEqual(['128x128@1024']);
    expect(passes(1, { position: 3, contextLength: 1024 })).toEqual(['1x1@1024']);
  });

  it('uses every position of the largest context', () => {
    const capacity = capacityOf(ARS, LENGTHS);
    expect(capacity).toBe(1023);
    const taken = passes(capacity);
    expect(taken.reduce((sum, pass) => sum + Number(/x(\d+)/.exec(pass)?.[1]), 0)).toBe(1023);
    expect(decodePass(ARS, LENGTHS, { position: 1022, contextLength: 1024 })).toEqual({ ar: 1, cl: 1024, count: 1, stride: 1023 });
  });
});
