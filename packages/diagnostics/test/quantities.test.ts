import { formatBytes, formatSeconds } from '@tundish/diagnostics';
import { expect, test } from 'vitest';

test('formats sizes and times as people read them', () => {
  expect([0, 999, 1000, 999_949, 999_960, 123_456_789].map(formatBytes)).toMatchInlineSnapshot(`
    [
      "0 B",
      "999 B",
      "1.0 kB",
      "1.0 MB",
      "1.0 MB",
      "123 MB",
    ]
  `);
  expect([0.004, 9.99, 9.999, 59, 119.9, 125, 3600].map(formatSeconds)).toMatchInlineSnapshot(`
    [
      "0.00 s",
      "9.99 s",
      "10.0 s",
      "59.0 s",
      "119.9 s",
      "2 min 05 s",
      "60 min 00 s",
    ]
  `);
});
