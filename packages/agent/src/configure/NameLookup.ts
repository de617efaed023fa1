import { Context, Effect, Either, Layer, Schema } from "effect"
import { lookup } from "node:dns/promises"
import { type AddressRange, parseRange } from "./AddressRange.ts"

/** A name has no address that this host could find. */
export class NameUnknown extends Schema.TaggedError<NameUnknown>()("NameUnknown", {
  name: Schema.String,
  detail: Schema.String
}) {
  override get message(): string {
    return `${this.name} has no address: ${this.detail}. Is it written right, and does this host's resolver answer (/etc/resolv.conf)? ` +
      "An address instead of the name needs no resolver"
  }
}

/** All addresses that a name has now; an address is its own. It asks as the daemon will: this host's resolver, /etc/hosts too. */
export class NameLookup extends Context.Tag("felhom/agent/configure/NameLookup")<NameLookup, {
  readonly addresses: (name: string) => Effect.Effect<ReadonlyArray<AddressRange>, NameUnknown>
}>() {}

const addresses = (host: string): Effect.Effect<ReadonlyArray<AddressRange>, NameUnknown> => {
  const name = host.replace(/^\[|\]$/g, "")
  const literal = parseRange(name)
  if (Either.isRight(literal)) return Effect.succeed([literal.right])
  return Effect.tryPromise({
    try: () => lookup(name, { all: true }),
    catch: (error) => new NameUnknown({ name, detail: error instanceof Error ? error.message : String(error) })
  }).pipe(
    Effect.map((found) =>
      found.flatMap(({ address }) =>
        Either.match(parseRange(address), { onLeft: () => [], onRight: (range) => [range] })
      )
    )
  )
}

export const layer: Layer.Layer<NameLookup> = Layer.succeed(NameLookup, { addresses })
