/** Answers with something else. */
process.on('message', () => process.send({ hello: 'world' }));
