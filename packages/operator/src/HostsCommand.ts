import { Command, Options } from "@effect/cli"
import { Clock, Console, Effect } from "effect"
import { connectionOptions } from "./Connection.ts"
import { attentionSentence, channelSentence, renderHosts, waitingSentence } from "./HostsView.ts"
import { HubReader } from "./HubReader.ts"
import { OperatorError } from "./OperatorError.ts"
import { colours, output, print, withHub } from "./Root.ts"

const all = Options.boolean("all").pipe(Options.withDescription("Hosts that were retired, too"))

export const hostsCommand = Command.make(
  "hosts",
  { all, ...connectionOptions, output },
  ({ all, output, ...options }) =>
    withHub(
      options,
      Effect.gen(function*() {
        const hub = yield* HubReader
        // A retired host that reports all the same is somebody's business again.
        const list = (yield* hub.hosts).filter(({ attention, retiredAt }) =>
          all || retiredAt === null || attention.length > 0
        )
        const expected = yield* hub.expected
        const waiting = yield* hub.waiting
        const { channels } = yield* hub.alarms(false)
        yield* output === "json"
          ? Console.log(JSON.stringify(list))
          : print(
            renderHosts({ hosts: list, expected, waiting, channels }, yield* Clock.currentTimeMillis, yield* colours)
          )
        const concerns = [
          attentionSentence(list, expected),
          waitingSentence(waiting.map(({ node }) => node)),
          channelSentence(channels)
        ].filter((sentence) => sentence !== undefined)
        if (concerns.length > 0) return yield* new OperatorError({ reason: "attention", detail: concerns.join("; ") })
      })
    )
).pipe(
  Command.withDescription(
    "All hosts, the worst first, and why; exits 1 when one needs attention that nobody acknowledged, when one waits, " +
      "or when notices do not get through"
  )
)
