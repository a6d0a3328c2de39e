/** Numbers of results as people read them. */

export function withError(value: string, error: number | null): string {
  return error === null ? value : `${value} ± ${smallNumber(error)}`;
}

export function signed(value: number): string {
  return value < 0 ? `-${smallNumber(-value)}` : smallNumber(value);
}

/** @param value 0 or more */
export function smallNumber(value: number): string {
  if (value === 0) return '0';
  return value < 0.001 ? value.toExponential(2) : value.toFixed(4);
}

/** A share of one, in percent. */
export function percent(share: number): string {
  return `${(100 * share).toFixed(2)} %`;
}
