/** Never answers, and is too busy to notice anything. */
process.on('message', () => {
  process.stdout.write('working\n', () => {
    for (;;);
  });
});
