/** The table of chips: names as people write them, ids that sources confuse, and what versions allow. */
import { describe, expect, it } from 'vitest';
import { chipLimits } from '../src/chips/chip.js';
import { chipByName, chipBySoc } from '../src/chips/find-chip.js';
import { CHIPS } from '../src/chips/table.js';

describe('chipByName', () => {
  it.each([
    ['sm8750', 69], ['SM8750', 69], ['snapdragon-8-elite', 69], ['Snapdragon® 8 Elite', 69], ['8 elite', 69], ['chipset:SM8750', 69], ['qualcomm-snapdragon-8-elite-for-galaxy', 69],
    ['SM8650', 57], ['snapdragon_8gen3', 57], ['sm8550', 43], ['snapdragon-8+-gen-1', 42], ['Snapdragon 8 Plus Gen 1', 42],
    ['SA8775P', 52], ['sa8255p', 52], ['QCS9075', 77], ['qualcomm-qcs9075-proxy', 77], ['IQ-9075', 77], ['qcs9100', 77],
    ['SC8380XP', 60], ['X Elite', 60], ['snapdragon-x-elite', 60], ['snapdragon-x2-elite', 88],
    ['SM8850', 87], ['snapdragon-8-elite-gen5', 87], ['SM8845', 97], ['Snapdragon 888', 30],
  ])('%s', (name, soc) => expect(chipByName(name).socModel).toBe(soc));

  it.each([
    ['SM8760', /Did you mean SM8(75|65)0\?/],
    ['snapdragon-8-elit', /Did you mean Snapdragon 8 Elite\?/],
    ['QCS9076', /Did you mean QCS9075\?/],
    ['exynos', /Name one of the known chips[^]*/],
    ['', /no chip is called/],
    ['-', /no chip is called/],
    ['snapdragon', /no chip is called snapdragon/],
    ['x'.repeat(1_000_000), /no chip is called/],
  ])('refuses %.20s', (name, message) => {
    expect(() => chipByName(name)).toThrow(message);
    expect(() => chipByName(name)).toThrow(/^RECIPE_CHIP_UNKNOWN[^]*SM8350 [^]*SW6100/);
  });
});

describe('chipBySoc', () => {
  it('keeps apart the ids that public sources confuse', () => {
    // 35 is SM7325, not SM8350; 88 is a laptop, not SM8850; 60 is a laptop, not QCS9075.
    expect(chipByName('SM8350').socModel).toBe(30);
    expect(chipBySoc(88)?.name).toBe('SC8480XP');
    expect(chipBySoc(60)?.name).toBe('SC8380XP');
  });

  it.each([0, 35, 9999, -1, 69.5, Number.NaN])('does not know %d', (soc) => expect(chipBySoc(soc)).toBeUndefined());
});

describe('the table', () => {
  it('has every id and every name once', () => {
    expect(new Set(CHIPS.map(({ socModel }) => socModel)).size).toBe(CHIPS.length);
    for (const chip of CHIPS) {
      expect(chipBySoc(chip.socModel)).toBe(chip);
      for (const name of [chip.name, ...chip.aliases]) expect(chipByName(name)).toBe(chip);
    }
  });

  it('has the versions that the compiler writes for these ids', () => {
    const compiled = [[30, 68], [36, 69], [43, 73], [60, 73], [77, 73], [57, 75], [69, 79], [87, 81], [88, 81]];
    expect(compiled.map(([soc]) => [soc, chipBySoc(soc as number)?.hexagon])).toEqual(compiled);
  });

  it('knows what versions allow', () => {
    const of = (name: string): unknown => ({ ...chipLimits(chipByName(name)) });
    expect(of('SM8350')).toMatchObject({ lpbq: false, weightSharing: false, matMul16By16: false, weights16: false, operatorsProven: false });
    expect(of('SM8450')).toMatchObject({ lpbq: true, weightSharing: false, matMul16By16: false });
    expect(of('SM8550')).toMatchObject({ lpbq: true, weightSharing: true, matMul16By16: true, weights16: true, operatorsProven: true });
  });
});
