/** Tables as people read them. */

/** Left-aligned text columns, right-aligned where `right` says so, two spaces between. */
export function formatTable(header: readonly string[], rows: readonly (readonly string[])[], right: readonly boolean[]): string[] {
  const all = [header, ...rows];
  const widths = header.map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0)));
  const line = (row: readonly string[]): string =>
    widths.map((width, i) => (right[i] === true ? (row[i] ?? '').padStart(width) : (row[i] ?? '').padEnd(width))).join('  ').trimEnd();
  return [line(header), widths.map((width) => '-'.repeat(width)).join('  '), ...rows.map(line)];
}
