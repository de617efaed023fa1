// The least that a Node program can do at its start: wait for a timer, and say so.
setTimeout(() => {
  process.stdout.write("fired\n", () => process.exit(0))
}, 0)
