import { Command, Options } from "@effect/cli"
import { EpochMillis } from "@felhom/domain/Time"
import { Clock, Console, Effect, Option } from "effect"
import { connectionOptions } from "./Connection.ts"
import { findHost, wanted } from "./FindHost.ts"
import { renderHistory, renderMetric } from "./HistoryView.ts"
import { HubReader } from "./HubReader.ts"
import { OperatorError } from "./OperatorError.ts"
import { colours, output, print, withHub } from "./Root.ts"

const units: { readonly [unit: string]: number } = { m: 60_000, h: 3_600_000, d: 86_400_000 }

/** Three years and a leap day: nothing is kept for longer. */
const longest = 1096 * 86_400_000

/** Reads `90m`, `24h` or `30d`; milliseconds. */
const readAge = (text: string): Effect.Effect<number, OperatorError> => {
  const [, digits, unit] = /^([1-9]\d{0,5})([mhd])$/.exec(text) ?? []
  const age = Number(digits ?? Number.NaN) * (units[unit ?? ""] ?? Number.NaN)
  return age <= longest ? Effect.succeed(age) : Effect.fail(
    new OperatorError({
      reason: "usage",
      detail: `--since ${JSON.stringify(text)} is no such time as 90m, 24h or 30d, up to 1096d`
    })
  )
}

export const historyCommand = Command.make("history", {
  wanted,
  since: Options.text("since").pipe(
    Options.withDefault("24h"),
    Options.withDescription("How far back: 90m, 24h, 30d")
  ),
  metric: Options.text("metric").pipe(
    Options.optional,
    Options.withDescription("Only this one, span by span: cpu, load, memory, root, guests or storage:NAME")
  ),
  ...connectionOptions,
  output
}, ({ metric, output, since, wanted, ...options }) =>
  withHub(
    options,
    Effect.gen(function*() {
      const age = yield* readAge(since)
      const hub = yield* HubReader
      const { host } = yield* Effect.flatMap(hub.hosts, (list) => findHost(list, wanted))
      const from = EpochMillis.make(Math.max(0, (yield* Clock.currentTimeMillis) - age))
      const history = yield* hub.history(host.id, from)
      const names = new Set(history.points.flatMap(({ metrics }) => Object.keys(metrics)))
      if (Option.isSome(metric) && history.points.length > 0 && !names.has(metric.value)) {
        return yield* new OperatorError({
          reason: "usage",
          detail: `nothing is known of the metric ${JSON.stringify(metric.value)} since then; there are ${
            Array.from(names).toSorted().join(", ")
          }`
        })
      }
      if (output === "json") return yield* Console.log(JSON.stringify(history))
      yield* print(
        Option.isSome(metric)
          ? renderMetric(history, host.node, metric.value, yield* colours)
          : renderHistory(history, host.node, yield* colours)
      )
    })
  )).pipe(
    Command.withDescription("How a host's load and storages went, as the hub kept it: a line for each metric")
  )
