/** The child's side of every call: the addon's objects by the numbers that the parent knows them by. */
import type { QnnAddon, QnnBackend, QnnContext, QnnGraph, QnnLogLine } from '@tundish/native/qnn';
import { composeInto } from '../compose/compose-into.js';
import type { DialogCalls } from './dialog-calls.js';
import { dialogAnswers } from './dialog-desk.js';
import type { CallName, Calls } from './protocol.js';
import { refusal } from './refusal.js';

type Answers = { readonly [Name in CallName]: (input: Calls[Name]['input']) => Calls[Name]['output'] };

export class Desk {
  #backend: QnnBackend | undefined;
  readonly #contexts: QnnContext[] = [];
  readonly #graphs: QnnGraph[] = [];

  readonly #answers: Answers;

  constructor(private readonly addon: QnnAddon) {
    this.#answers = { ...this.#graphAnswers, ...dialogAnswers(addon) };
  }

  answer<Name extends CallName>(name: Name, input: Calls[Name]['input']): Calls[Name]['output'] {
    if (!Object.hasOwn(this.#answers, name)) throw refusal(`there is no call ${String(name)}`);
    return this.#answers[name](input);
  }

  takeLog(): QnnLogLine[] {
    return this.addon.takeLog();
  }

  readonly #graphAnswers: Omit<Answers, keyof DialogCalls> = {
    openBackend: ({ library, logLevel, soc }) => {
      if (this.#backend !== undefined) throw refusal('this process has a backend already');
      const backend = this.addon.openBackend(library, logLevel);
      if (soc !== undefined) backend.createDevice(soc);
      this.#backend = backend;
      return { id: backend.id, name: backend.name, coreApi: backend.coreApi, backendApi: backend.backendApi, buildId: backend.buildId };
    },
    operations: () => this.#opened().operations(),
    createContext: ({ weightSharing }) => this.#contexts.push(this.#opened().createContext({ weightSharing })) - 1,
    loadContext: ({ path }) => this.#contexts.push(this.#opened().loadContext(path)) - 1,
    freeContext: ({ context }) => {
      this.#context(context).free();
      return null;
    },
    composeGraph: ({ context, name, options, tensors, operations }) => {
      const graph = this.#context(context).createGraph(name, options);
      for (const tensor of tensors) graph.addTensor(tensor);
      for (const operation of operations) graph.addOperation(operation);
      return this.#graphs.push(graph) - 1;
    },
    composePlan: ({ context, plan, paths, options }) => this.#graphs.push(composeInto(this.#context(context), plan, paths, options)) - 1,
    openGraph: ({ context, name, inputs, outputs }) => this.#graphs.push(this.#context(context).openGraph(name, inputs, outputs)) - 1,
    composeDlc: ({ context, systemLibrary, path }) => this.#context(context).composeDlc(systemLibrary, path),
    validate: ({ graph, operation }) => this.#graph(graph).validate(operation),
    finalize: ({ graph }) => {
      this.#graph(graph).finalize();
      return null;
    },
    writeBinary: ({ context, path }) => this.#context(context).writeBinary(path),
    execute: ({ graph, inputs }) => this.#graph(graph).execute(inputs),
    inspect: ({ systemLibrary, path }) => this.addon.openSystem(systemLibrary).inspect(path),
    systemVersion: ({ library }) => this.addon.openSystem(library).api,
    genieVersion: ({ library }) => this.addon.genieVersion(library),
  };

  #opened(): QnnBackend {
    if (this.#backend === undefined) throw refusal('no backend has been opened');
    return this.#backend;
  }

  #context(handle: number): QnnContext {
    const context = this.#contexts[handle];
    if (context === undefined) throw refusal(`there is no context ${handle}`);
    return context;
  }

  #graph(handle: number): QnnGraph {
    const graph = this.#graphs[handle];
    if (graph === undefined) throw refusal(`there is no graph ${handle}`);
    return graph;
  }
}
