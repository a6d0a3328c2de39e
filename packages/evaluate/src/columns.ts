/** Rows of text with their columns aligned: the first to the left, the others to the right. */
export function alignColumns(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? '').length)));
  return rows.map((row) => row.map((cell, c) => (c === 0 ? cell.padEnd(widths[c] ?? 0) : cell.padStart(widths[c] ?? 0))).join('  ')).join('\n');
}

/** Title of a column, and what it shows of a row. */
export type Column<Row> = readonly [title: string, show: (row: Row) => string];

/** One line a row below the titles. */
export function tableOf<Row>(columns: readonly Column<Row>[], rows: readonly Row[]): string {
  return alignColumns([columns.map(([title]) => title), ...rows.map((row) => columns.map(([, show]) => show(row)))]);
}
