/** Observers that a recipe names: modules of the user. They are in no key, and what is wrong with one is a warning. */
import { type Reporter, messageOf, printable } from '@tundish/diagnostics';
import { loadUserModule } from '../user-module.js';
import type { BuildEvent, Observer } from './event.js';

type Handler = (event: BuildEvent) => unknown;

/** What a module may export as `observer` or `default` instead of one function: a function a kind of event, and `close`. */
export type ObserverHandlers = Readonly<Partial<Record<BuildEvent['kind'], Handler>>> & { readonly close?: () => unknown };

const KINDS: readonly BuildEvent['kind'][] = ['start', 'progress', 'finish', 'hit', 'fail'];

/** @param folder that of the recipe, which paths are relative to */
export async function recipeObservers(names: readonly string[], folder: string, reporter: Reporter): Promise<Observer[]> {
  const observers: Observer[] = [];
  for (const name of names) {
    try {
      observers.push(observerOf(name, await loadUserModule(name, folder)));
    } catch (error) {
      reporter.warn(`observer ${printable(name)} of the recipe cannot be used: ${printable(messageOf(error))}`);
    }
  }
  return observers;
}

function observerOf(name: string, module: Readonly<Record<string, unknown>>): Observer {
  const exported = module['observer'] ?? module['default'];
  if (typeof exported === 'function') return { name, on: exported as Handler };
  if (typeof exported !== 'object' || exported === null) throw new Error('it exports neither `observer` nor a default that is a function or an object of functions');
  const known = [...KINDS, 'close'];
  for (const [key, value] of Object.entries(exported)) {
    if (!known.includes(key) || typeof value !== 'function') throw new Error(`its ${key} is not one of the functions ${known.join(', ')}`);
  }
  const handlers = exported as ObserverHandlers;
  return { name, on: (event) => handlers[event.kind]?.(event), ...(handlers.close === undefined ? {} : { close: () => handlers.close?.() }) };
}
