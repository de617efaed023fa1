import type { NodeName } from "@felhom/domain/ProxmoxId"
import { Upid } from "@felhom/domain/Upid"
import { type Destruction, Mandate, type MandateRefused } from "@felhom/mandate/Mandate"
import { Effect, Either, Schema } from "effect"
import type { Parameters } from "./FormEncoding.ts"
import { decodeObject } from "./Listing.ts"
import type { ProxmoxError } from "./ProxmoxError.ts"
import type { Answer, Call, Transport } from "./Transport.ts"

/** Reads the `data` of an answer; `Left` says what is wrong with it. */
export type Decoder<A> = (data: unknown) => Either.Either<A, string>

/** What the calls of every area are made with. After a write, an answer that can't be read leaves open whether it was done. */
export interface Caller {
  /** `nodes`, and the node's name. */
  readonly node: readonly ["nodes", NodeName]
  readonly get: <A>(
    path: Call["path"],
    decode: Decoder<A>,
    parameters?: Parameters
  ) => Effect.Effect<A, ProxmoxError>
  /** The same for an answer that has more than `data`. */
  readonly getAnswer: <A>(
    path: Call["path"],
    decode: (answer: Answer) => Either.Either<A, string>,
    parameters?: Parameters
  ) => Effect.Effect<A, ProxmoxError>
  readonly write: <A>(call: Call, decode: Decoder<A>) => Effect.Effect<A, ProxmoxError>
  /** Spends the mandate when it is this call's turn, just before the first byte leaves. */
  readonly destroy: <A>(
    call: Call,
    mandate: Mandate,
    destruction: Destruction,
    decode: Decoder<A>
  ) => Effect.Effect<A, ProxmoxError | MandateRefused>
  /** A call that the agent does not send. */
  readonly refuse: (
    call: Call,
    reason: "no-mandate" | "invalid",
    detail: string
  ) => Effect.Effect<never, ProxmoxError>
  /** What went wrong with a call, found out from its answer. */
  readonly failure: Transport["failure"]
}

export const makeCaller = (transport: Transport, node: NodeName): Caller => {
  const readWith = <A>(call: Call, decode: (answer: Answer) => Either.Either<A, string>) => (answer: Answer) =>
    Either.mapLeft(
      decode(answer),
      (problem) =>
        transport.failure(
          call,
          call.method === "GET" ? "malformed" : "outcome-unknown",
          `unexpected answer: ${problem}`
        )
    )
  const read = <A>(call: Call, decode: Decoder<A>) => readWith(call, ({ data }) => decode(data))
  const getAnswer: Caller["getAnswer"] = (path, decode, parameters = {}) => {
    const call: Call = { method: "GET", path, parameters }
    return Effect.flatMap(transport.send(call), readWith(call, decode))
  }
  return {
    node: ["nodes", node],
    get: (path, decode, parameters) => getAnswer(path, ({ data }) => decode(data), parameters),
    getAnswer,
    write: (call, decode) => Effect.flatMap(transport.send(call), read(call, decode)),
    destroy: (call, mandate, destruction, decode) =>
      Effect.flatMap(transport.send(call, Mandate.redeem(mandate, destruction)), read(call, decode)),
    refuse: (call, reason, detail) => Effect.fail(transport.failure(call, reason, detail)),
    failure: transport.failure
  }
}

/** Of a call that starts a task. */
export const upid: Decoder<Upid> = decodeObject(Upid)

// An empty text also says that there is nothing to wait for.
const Done = Schema.transform(Schema.Literal(null, ""), Schema.Null, {
  strict: true,
  decode: () => null,
  encode: () => null
})

/** Of a call that may be done at once, which is null. */
export const upidOrDone: Decoder<Upid | null> = decodeObject(Schema.Union(Upid, Done))

const done = decodeObject(Done)

/** Of a call that is done when it is answered. */
export const nothing: Decoder<void> = (data) => Either.map(done(data), () => undefined)
