/** Works for two seconds, tells so on stderr as commands do, and prints a result: run by progress.test.ts. */
import { setTimeout as sleep } from 'node:timers/promises';
import { streamReporter } from '@tundish/cli/progress-reporter';

const TOTAL = 20;
const reporter = streamReporter(process.stderr);
for (let done = 0; done <= TOTAL; done++) {
  reporter.progress({ work: 'count', label: 'steps', done, total: TOTAL, bytes: { done: done * 1e6 } });
  if (done === 15) reporter.warn('nearly there');
  if (done < TOTAL) await sleep(100);
}
reporter.close();
console.log('result');
