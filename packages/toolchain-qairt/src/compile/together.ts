/** Works side by side, none of which outlives the failure of another. */

type Works<Results extends readonly unknown[]> = { readonly [I in keyof Results]: (signal: AbortSignal) => Promise<Results[I]> };

/** @throws what the first failure threw, when all works have ended: its signal stops the others */
export async function together<Results extends readonly unknown[]>(signal: AbortSignal, works: Works<Results>): Promise<Results> {
  const failed = new AbortController();
  const stop = AbortSignal.any([signal, failed.signal]);
  const results = await Promise.all(works.map((work) => work(stop).catch((error: unknown) => failed.abort(error))));
  failed.signal.throwIfAborted();
  return results as unknown as Results;
}
