import { Effect } from "effect"
import { findHost } from "./FindHost.ts"
import { HubReader } from "./HubReader.ts"
import { witnessed } from "./SignedHost.ts"

/** What the one host that is meant said last, by its own signature. */
export const sightOf = (text: string) =>
  Effect.gen(function*() {
    const hub = yield* HubReader
    const { host } = yield* Effect.flatMap(hub.hosts, (list) => findHost(list, text))
    return yield* witnessed(yield* hub.host(host.id), yield* hub.signed(host.id))
  })
