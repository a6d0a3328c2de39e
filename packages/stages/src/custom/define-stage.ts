/** A stage that a recipe names: what its module exports, and what its functions get and give. */
import type { Reporter } from '@tundish/diagnostics';
import type { JsonValue } from '@tundish/store';
import type { z } from 'zod';
import type { StageFile, StageInput } from '../stage.js';

/** What a custom stage works with. Like every stage it never prints, and reads no clock and no environment. */
export interface CustomContext {
  readonly signal: AbortSignal;
  readonly reporter: Reporter;
  /** Empty folder on the store's file system; removed afterwards. */
  readonly scratch: string;
  /** Threads that numeric work may use; must not change a result. */
  readonly threads: number;
}

export interface CustomRequest<Options> {
  /** As the schema gave them when the lock was written. */
  readonly options: Options;
  /** Null for the whole model; the pair (`ar1-cl512`) behind arcl, the cell (`ar1-cl512-1of2`) behind transform. */
  readonly subject: string | null;
  /** The result that the stage takes: `graph.onnx` and what lies beside it. */
  readonly input: StageInput;
}

export interface CustomResult {
  /**
   * `graph.onnx`, and the weight files that the stage wrote for it. Files of the input that are not made anew are handed on, and
   * so are the weight files that the graph still refers to.
   */
  readonly files: readonly StageFile[];
  /** Small results, shown in stage.json. */
  readonly facts?: Readonly<Record<string, JsonValue>>;
}

export interface CustomStage<Schema extends z.ZodType = z.ZodType> {
  /** Names its target and its cache entries: lower-case letters, digits and dashes. */
  readonly name: string;
  /** One sentence for `nx show` and `nx graph`. */
  readonly description?: string;
  /** Of `options` in the recipe; what it gives must be JSON data, since the lock holds it. */
  readonly options: Schema;
  /** Whether the input is as the stage needs it; throws when not. */
  requires?(request: CustomRequest<z.output<Schema>>): void;
  run(context: CustomContext, request: CustomRequest<z.output<Schema>>): CustomResult | Promise<CustomResult>;
  /** Whether the result is as promised; throws when not. */
  ensures?(result: CustomResult, request: CustomRequest<z.output<Schema>>): void;
}

/** The stage as it is; only its types are found out here, so that `request.options` has those of the schema. */
export function defineStage<Schema extends z.ZodType>(stage: CustomStage<Schema>): CustomStage<Schema> {
  return stage;
}
