/** Names of the files by which stages speak to each other; apart from the stages, so that none has the code of another in its key. */

/** From load: what the architecture says of its graph. */
export const ADAPTATION_FILE = 'adaptation.json';
/** From load: `ModelFacts`. */
export const MODEL_FILE = 'model.json';
/** From convert: inputs and outputs of one graph. */
export const IO_FILE = 'io.json';
/** From compile: inputs and outputs of the graphs of a part. */
export const GRAPHS_FILE = 'graphs.json';
