/** A table of shares as an SVG: one row a kind, one column a layer, the darker the nearer to the gate. */
import { escapeHtml } from './escape-html.js';

export interface HeatCell {
  readonly row: string;
  readonly column: string;
  /** 0 is white, 1 the darkest; above 1, and Infinity, red. */
  readonly share: number;
  readonly label: string;
  /** Shown when the mouse is over the cell. */
  readonly title: string;
}

const [LEFT, TOP, WIDTH, HEIGHT] = [190, 26, 62, 24];

/** Rows and columns in the order given; cells that are not there stay empty. */
export function heatMap(rows: readonly string[], columns: readonly string[], cells: readonly HeatCell[]): string {
  const [width, height] = [LEFT + columns.length * WIDTH, TOP + rows.length * HEIGHT];
  const heads = columns.map((column, i) => `<text x="${LEFT + (i + 0.5) * WIDTH}" y="${TOP - 8}" text-anchor="middle">${escapeHtml(column)}</text>`);
  const names = rows.map((row, i) => `<text x="${LEFT - 8}" y="${TOP + (i + 0.5) * HEIGHT + 4}" text-anchor="end">${escapeHtml(row)}</text>`);
  return [
    `<svg width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img">`,
    ...heads, ...names, ...cells.map((cell) => drawn(cell, columns.indexOf(cell.column), rows.indexOf(cell.row))),
    '</svg>',
  ].join('\n');
}

function drawn({ share, label, title }: HeatCell, column: number, row: number): string {
  const [x, y] = [LEFT + column * WIDTH, TOP + row * HEIGHT];
  const ink = share > 0.55 ? '#fff' : '#222';
  return `<g><title>${escapeHtml(title)}</title><rect x="${x}" y="${y}" width="${WIDTH - 2}" height="${HEIGHT - 2}" fill="${colour(share)}"/>`
    + `<text x="${x + WIDTH / 2 - 1}" y="${y + HEIGHT / 2 + 3}" text-anchor="middle" fill="${ink}">${escapeHtml(label)}</text></g>`;
}

/** From white to dark blue. */
function colour(share: number): string {
  if (!(share <= 1)) return '#b3261e';
  const mixed = (light: number, dark: number): number => Math.floor(light + (dark - light) * share);
  return `rgb(${mixed(244, 11)},${mixed(247, 61)},${mixed(251, 145)})`;
}
