/** The plan itself, for programs. */
import type { PlanFormat } from './format.js';

export const jsonFormat: PlanFormat = (plan) => `${JSON.stringify(plan, null, 2)}\n`;
