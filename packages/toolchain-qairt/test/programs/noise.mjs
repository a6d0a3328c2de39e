/** Prints megabytes without a line end, bytes that are no text, and then answers. */
process.on('message', ({ id, protocol }) => {
  process.stdout.write(Buffer.alloc(3_000_000, 0xfe));
  process.stderr.write('x'.repeat(1_000_000), () => process.send({ protocol, id, log: [], output: ['one'] }));
});
