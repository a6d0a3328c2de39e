/** The key of an action and its explanation, made by one traversal so that they cannot drift. */
import { canonicalJson, leavesOf } from './canonical-json.js';
import { sha256 } from './sha256.js';

/** What ran a stage, as far as it can change a result. */
export interface ToolIdentity {
  readonly name: string;
  readonly version: string;
  /** Properties of the machine on which the bytes depend; left out when there are none. */
  readonly machine?: string;
  /** Operators beyond the standard, by name and version; left out when there are none. */
  readonly operators?: string;
}

/** Everything that can change the result of an action; whatever is not here must not change it. */
export interface ActionInputs {
  readonly stage: string;
  /** sha256 of the code that makes the result. */
  readonly code: string;
  /** Plain JSON data: the options that the stage reads, defaults filled in. */
  readonly options: unknown;
  readonly tool?: ToolIdentity;
  /** sha256 of each thing that the stage reads, by the name it has for the stage. */
  readonly upstream: Readonly<Record<string, string>>;
  /** Numeric profile (kernel version and instruction set), for stages whose bytes depend on it. */
  readonly profile?: string;
}

export interface ActionKey {
  /** sha256 of the fields, 64 hexadecimal digits. */
  readonly key: string;
  /** Each leaf of the inputs under its dotted path, as canonical JSON: what was hashed. */
  readonly fields: Readonly<Record<string, string>>;
}

/** @throws STORE_JSON_VALUE when an option is not plain JSON data */
export function actionKey(inputs: ActionInputs): ActionKey {
  const fields = Object.fromEntries(leavesOf(inputs));
  return { key: sha256(canonicalJson(fields)), fields };
}
