/** Whether the program was asked to end by itself (`--once`). Any other argument ends it with 2. */
export const onlyOnce = (program: string): boolean => {
  const [unknown] = process.argv.slice(2).filter((argument) => argument !== "--once")
  if (unknown !== undefined) {
    console.error(`${program} does not know ${JSON.stringify(unknown)}; it takes --once, to end by itself, or nothing`)
    process.exit(2)
  }
  return process.argv.includes("--once")
}
