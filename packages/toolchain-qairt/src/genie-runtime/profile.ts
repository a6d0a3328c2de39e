/** What Genie measured of a dialog: the numbers of its profile, and the profile itself. */
import { z } from 'zod';
import { bundleError } from '../genie/errors.js';
import { parseJson } from '../genie/parse-json.js';

/** One query, in the units of Genie. It counts no token, and no rate, of an answer of a single one. */
export interface QueryProfile {
  readonly promptTokens: number;
  readonly generatedTokens: number;
  readonly timeToFirstTokenUs: number;
  readonly promptTokensPerSecond: number;
  readonly generatedTokensPerSecond: number;
}

export interface GenieProfile {
  /** Until the dialog could be asked. */
  readonly initTimeUs: number;
  /** In the order in which they were made; refused ones are not in it. */
  readonly queries: readonly QueryProfile[];
  /** As Genie gave it. */
  readonly json: string;
}

const measured = z.object({ value: z.number() }).transform(({ value }) => value);
const create = z.object({ type: z.literal('GenieDialog_create'), 'init-time': measured });
const query = z.object({
  type: z.literal('GenieDialog_query'), 'num-prompt-tokens': measured, 'num-generated-tokens': measured, 'time-to-first-token': measured,
  'prompt-processing-rate': measured, 'token-generation-rate': measured,
});
const other = z.object({ type: z.string().refine((type) => type !== 'GenieDialog_create' && type !== 'GenieDialog_query') });
const profile = z.object({ components: z.array(z.object({ type: z.string(), events: z.array(z.union([create, query, other])) })) });

/** @throws GENIE_CALL_FAILED for a form that is not known */
export function readProfile(json: string): GenieProfile {
  const parsed = profile.safeParse(parseJson(json));
  const events = parsed.data?.components.filter(({ type }) => type === 'dialog').flatMap((component) => component.events) ?? [];
  const created = events.find((event): event is z.infer<typeof create> => 'init-time' in event);
  if (created === undefined) throw bundleError('GENIE_CALL_FAILED', { what: 'the profile of the dialog is of a form that is not known', ...(parsed.error === undefined ? {} : { why: parsed.error.issues[0]?.message ?? '' }) });
  const queries = events.filter((event): event is z.infer<typeof query> => 'num-prompt-tokens' in event).map((event) => ({
    promptTokens: event['num-prompt-tokens'],
    generatedTokens: event['num-generated-tokens'],
    timeToFirstTokenUs: event['time-to-first-token'],
    promptTokensPerSecond: event['prompt-processing-rate'],
    generatedTokensPerSecond: event['token-generation-rate'],
  }));
  return { initTimeUs: created['init-time'], queries, json };
}
