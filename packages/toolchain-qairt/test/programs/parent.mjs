/** A parent that has a child finalize for ever, says its id, and waits to be killed. */
import { Child } from '@tundish/toolchain-qairt';

const child = new Child();
await child.call('openBackend', { library: process.argv[2], logLevel: 1 });
const context = await child.call('createContext', { weightSharing: false });
const graph = await child.call('composeGraph', { context, name: 'hang', options: {}, tensors: [], operations: [] });
child.call('finalize', { graph }).catch(() => undefined);
setTimeout(() => console.log(child.pid), 200);
