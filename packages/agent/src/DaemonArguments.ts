/** The daemon's arguments, as a unit file gives them. */
export interface DaemonArguments {
  readonly config: string | undefined
  readonly output: "text" | "json"
}

/**
 * Reads the plain way to start the daemon: `daemon`, with `--config FILE` and `--output text|json` once at most. Whatever else
 * there is, wrong arguments too, is undefined, and for the whole command line to read, which knows more ways to write the same
 * and has words for what is wrong. That takes so much longer to load that a daemon which starts with its host is spared it.
 */
export const plainDaemon = (args: ReadonlyArray<string>): DaemonArguments | undefined => {
  const [command, ...rest] = args
  if (command !== "daemon" || rest.length % 2 !== 0) return undefined
  let config: string | undefined
  let output: DaemonArguments["output"] | undefined
  for (let at = 0; at < rest.length; at += 2) {
    const [name, value = ""] = rest.slice(at, at + 2)
    if (name === "--config" && config === undefined && /^[^-\s]/.test(value)) config = value
    else if (name === "--output" && output === undefined && (value === "text" || value === "json")) output = value
    else return undefined
  }
  return { config, output: output ?? "text" }
}
