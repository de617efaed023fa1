import { RootSocket, type RootVerb } from "@felhom/domain/port/RootSocket"
import { type Context, Effect, Layer, ParseResult, Schema } from "effect"
import { MountRequest, MountResult } from "./Mount.ts"
import { PctCreateRequest, PctCreateResult } from "./PctCreate.ts"
import { Privileged, PrivilegedError } from "./Privileged.ts"
import { SmartRequest, SmartResult } from "./Smart.ts"

/** A root helper's one line of answer. */
export const RootReply = <A, I>(result: Schema.Schema<A, I>) =>
  Schema.Union(
    Schema.Struct({ ok: Schema.Literal(true), result }),
    Schema.Struct({ ok: Schema.Literal(false), error: PrivilegedError })
  )

interface Verb<A, I, B, J> {
  readonly verb: PrivilegedError["verb"]
  readonly socket: RootVerb
  readonly request: Schema.Schema<A, I>
  readonly result: Schema.Schema<B, J>
}

/** Asks the root helpers over their sockets: for the daemon, which has no rights of its own and starts no program. */
export const make = (sockets: Context.Tag.Service<RootSocket>): Context.Tag.Service<Privileged> => {
  const ask = <A, I, B, J>({ request, result, socket, verb }: Verb<A, I, B, J>) => {
    const toLine = Schema.encode(Schema.parseJson(request), { onExcessProperty: "error" })
    const fromLine = Schema.decodeUnknown(Schema.parseJson(RootReply(result)), { onExcessProperty: "error" })
    const as = (reason: PrivilegedError["reason"]) => (error: ParseResult.ParseError) =>
      new PrivilegedError({ verb, reason, detail: ParseResult.TreeFormatter.formatErrorSync(error) })
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
    pctCreate: ask({ verb: "pctCreate", socket: "pct-create", request: PctCreateRequest, result: PctCreateResult }),
    mount: ask({ verb: "mount", socket: "mount", request: MountRequest, result: MountResult }),
    smart: ask({ verb: "smart", socket: "smart", request: SmartRequest, result: SmartResult })
  })
}

export const layer: Layer.Layer<Privileged, never, RootSocket> = Layer.effect(
  Privileged,
  Effect.map(RootSocket, make)
).pipe(Layer.ensureRequirementsType<RootSocket>())
