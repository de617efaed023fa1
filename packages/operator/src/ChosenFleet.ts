import { Options } from "@effect/cli"
import { Effect, Option } from "effect"
import { HubSigners } from "./HubSigners.ts"
import { type KnownFleet, KnownSigners } from "./KnownSigners.ts"
import { OperatorError } from "./OperatorError.ts"

export const fleetOption = Options.text("fleet").pipe(
  Options.optional,
  Options.withDescription("Which fleet, by the beginning of its id, where this machine knows several")
)

const usage = (detail: string): OperatorError => new OperatorError({ reason: "usage", detail })

const several = (fleets: ReadonlyArray<KnownFleet>): OperatorError =>
  usage(`this machine knows the fleets ${fleets.map(({ fleet }) => fleet).join(", ")}; say which with --fleet`)

/** The one that is meant among those that this machine knows; none when it knows none. */
export const chosenFleet = (wanted: Option.Option<string>) =>
  Effect.gen(function*() {
    const fleets = yield* Effect.flatMap(KnownSigners, (kept) => kept.fleets)
    if (Option.isSome(wanted)) {
      const prefix = wanted.value.toLowerCase()
      const matches = fleets.filter(({ fleet }) => fleet.startsWith(prefix))
      const [only] = matches
      if (only !== undefined && matches.length === 1) return Option.some(only)
      return yield* matches.length > 1 ? several(matches) : usage(
        `this machine knows no fleet ${JSON.stringify(wanted.value)}; felhom signers trust --host HOST begins with one`
      )
    }
    if (fleets.length < 2) return Option.fromNullable(fleets[0])
    const served = new Set((yield* Effect.flatMap(HubSigners, (hub) => hub.list)).map(({ fleet }) => fleet))
    const here = fleets.filter(({ fleet }) => served.has(fleet))
    const [only] = here
    return only !== undefined && here.length === 1 ? Option.some(only) : yield* several(fleets)
  })

/** The same where there has to be one. */
export const requiredFleet = (wanted: Option.Option<string>) =>
  Effect.flatMap(
    chosenFleet(wanted),
    Option.match({
      onNone: () =>
        Effect.fail(
          new OperatorError({
            reason: "distrust",
            detail:
              "this machine knows no fleet's signers yet, and does not take the hub's word for them: felhom signers " +
              "trust --host HOST begins with what a host says that you trust; felhom signers new makes the first version"
          })
        ),
      onSome: Effect.succeed
    })
  )
