/** Stages at the shapes of known models: seconds and peak memory. */
import { withShape } from './workspace.mjs';

/** 8 windows of 512 tokens. */
export const CALIBRATED = { recipe: 'minmax', calibration: { windows: 8, windowLength: 512 } };
export const SMALL_GRID = { ar: [1, 128], cl: [1024], parts: 1 };
const CELLS = { ar: [1, 128], cl: [512, 1024, 2048, 3072, 4096], parts: 3 };

export function load(shape) {
  return (record) => withShape(shape, 1e9, async (workspace) => {
    await workspace.recipe({ graphs: SMALL_GRID });
    recordStep(record, `${shape}: load`, await workspace.run('load'), { seconds: 3, megabytes: 300 });
  });
}

/** @param bars `seconds` undefined for a time that is only reported */
export function quantize(shape, { title, options, workBytes, bars }) {
  return (record) => withShape(shape, workBytes, async (workspace) => {
    await workspace.recipe({ graphs: SMALL_GRID, quantize: options });
    await workspace.run('load');
    recordStep(record, `${shape}: optimize and quantize, ${title}`, await workspace.run('optimize', 'quantize'), bars);
  });
}

/** 30 cells, with whole attention layers, then with operations for each head: that choice is none of arcl's. */
export function cells(shape) {
  return (record) => withShape(shape, 2e9, async (workspace) => {
    // How much text was seen changes the ranges, not how many encodings the graphs carry.
    const quantize = { recipe: 'minmax', calibration: { windows: 1, windowLength: 64 } };
    await workspace.recipe({ graphs: CELLS, quantize });
    for (const stage of ['load', 'optimize', 'quantize']) await workspace.run(stage);
    recordCells(record, `${shape}: arcl and transform of 30 cells`, await workspace.run('arcl', 'transform'), { seconds: 10 });
    await workspace.recipe({ graphs: CELLS, quantize, transform: { mha2sha: true } });
    recordCells(record, `${shape}: transform of the same with mha2sha`, await workspace.run('transform'), {});
  });
}

function recordCells(record, title, step, bars) {
  recordStep(record, title, step, bars);
  record(`${title}: weight bytes written`, step.weightBytes, 'bytes', ['=', 0]);
}

export function recordStep(record, title, { seconds, rss }, bars) {
  record(title, seconds, 's', bars.seconds === undefined ? undefined : ['<=', bars.seconds]);
  record(`${title}: peak memory`, rss / 1e6, 'MB', bars.megabytes === undefined ? undefined : ['<=', bars.megabytes]);
}
