/** Answers, and leaves behind a process that holds its pipes open. */
import { spawn } from 'node:child_process';

const heir = spawn('sleep', ['30'], { stdio: 'inherit' });
process.on('message', ({ protocol, id }) => process.send({ protocol, id, output: [String(heir.pid)], log: [] }));
