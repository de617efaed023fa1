import { RootSocket } from "@felhom/domain/port/RootSocket"
import { type Context, Effect, Layer, type ParseResult, Schema } from "effect"
import { Privileged, PrivilegedError } from "./Privileged.ts"
import { problemWords } from "./ProblemWords.ts"
import { mountExchange, pctCreateExchange, type RootExchange, RootReply, smartExchange } from "./RootExchange.ts"

/** Asks the root helpers over their sockets: for the daemon, which has no rights of its own and starts no program. */
export const make = (sockets: Context.Tag.Service<RootSocket>): Context.Tag.Service<Privileged> => {
  const ask = <A, I, B, J>({ request, result, socket, verb }: RootExchange<A, I, B, J>) => {
    const toLine = Schema.encode(Schema.parseJson(request), { onExcessProperty: "error" })
    const fromLine = Schema.decodeUnknown(Schema.parseJson(RootReply(result)), { onExcessProperty: "error" })
    const as = (reason: PrivilegedError["reason"]) => (error: ParseResult.ParseError) =>
      new PrivilegedError({ verb, reason, detail: problemWords(error) })
    return (asked: A): Effect.Effect<B, PrivilegedError> =>
      Effect.gen(function*() {
        const line = yield* Effect.mapError(toLine(asked), as("invalid"))
        const answer = yield* Effect.mapError(
          sockets.exchange(socket, line),
          (error) => new PrivilegedError({ verb, reason: "unavailable", detail: error.message })
        )
        const reply = yield* Effect.mapError(fromLine(answer), as("malformed"))
        return reply.ok ? reply.result : yield* reply.error
      })
  }

  return Privileged.of({
    pctCreate: ask(pctCreateExchange),
    mount: ask(mountExchange),
    smart: ask(smartExchange)
  })
}

export const layer: Layer.Layer<Privileged, never, RootSocket> = Layer.effect(
  Privileged,
  Effect.map(RootSocket, make)
).pipe(Layer.ensureRequirementsType<RootSocket>())
