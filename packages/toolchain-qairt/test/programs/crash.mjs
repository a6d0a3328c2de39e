/** Dies of a signal at the first request, after a word on each stream. */
process.on('message', () => {
  process.stdout.write('said on stdout\n');
  process.stderr.write('said on stderr \u001b[31m', () => process.kill(process.pid, 'SIGSEGV'));
});
