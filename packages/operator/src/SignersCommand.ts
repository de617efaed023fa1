import { Command, Options } from "@effect/cli"
import { displayText } from "@felhom/domain/DisplayText"
import { Console, Effect, Either } from "effect"
import { connectionOptions } from "./Connection.ts"
import { OperatorError } from "./OperatorError.ts"
import { trustIn } from "./OpExpectation.ts"
import { sightOf } from "./OpSight.ts"
import { output, print, withHub } from "./Root.ts"
import { trustLayer } from "./TrustCommands.ts"

const show = Command.make(
  "show",
  {
    host: Options.text("host").pipe(
      Options.withDescription("The host, by its node name or the beginning of its id; its key must be known here")
    ),
    ...connectionOptions,
    output
  },
  ({ host, output, ...options }) =>
    withHub(
      options,
      Effect.gen(function*() {
        const sight = yield* sightOf(host)
        const { node } = sight.report.host
        const trust = yield* Either.mapLeft(
          trustIn(sight),
          (why) => new OperatorError({ reason: "attention", detail: `host ${node}: ${why}` })
        )
        if (output === "json") return yield* Console.log(JSON.stringify(trust))
        yield* print([
          `${node}, in its own signed words; key ${sight.code}`,
          `signers  ${trust.signers ?? "none: it takes no signed op"}`,
          `policy   ${trust.policy ?? "none"}`,
          `hold     ${
            trust.hold === null
              ? "no"
              : `since ${new Date(trust.hold.since).toISOString()}: ${displayText(trust.hold.reason)}`
          }`,
          `ops      epoch ${trust.opEpoch}, record ${trust.storeSeq}`,
          "Both files are named by their SHA-256, as sha256sum shows it on the host or of your own copy."
        ])
      }).pipe(Effect.provide(trustLayer))
    )
).pipe(Command.withDescription("Which list of signers and which policy hold on a host, in its own signed words"))

/** Whose signatures a host takes. */
export const signersCommand = Command.make("signers").pipe(
  Command.withDescription(
    "Whose signatures hosts take. The list itself is root's file on each host: to add or revoke somebody, change it there"
  ),
  Command.withSubcommands([show])
)
