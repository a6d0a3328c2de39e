/** JSON that may be anything, or nothing. */

/** @returns undefined for text that is missing or no JSON */
export function parseJson(text: string | undefined): unknown {
  try {
    return text === undefined ? undefined : (JSON.parse(text) as unknown);
  } catch {
    return undefined;
  }
}
