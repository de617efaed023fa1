import { Layer, Logger, type LogLevel } from "effect"

/** `pretty` for a person at a terminal, `json` (one object a line) for the journal. */
export type Format = "pretty" | "json"

/** Everything goes to stderr: stdout belongs to what a command answers. */
export const layer = (format: Format, level: LogLevel.LogLevel): Layer.Layer<never> =>
  Layer.merge(
    Logger.replace(
      Logger.defaultLogger,
      format === "pretty" ? Logger.prettyLogger({ stderr: true }) : Logger.withConsoleError(Logger.jsonLogger)
    ),
    Logger.minimumLogLevel(level)
  )
