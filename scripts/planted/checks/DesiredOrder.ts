import { desiredType } from "@felhom/domain/DesiredDocument"
import { HostEpoch, HostId } from "@felhom/domain/HostId"
import { DurableFile } from "@felhom/domain/port/DurableFile"
import * as NodeCrypto from "@felhom/node/NodeCrypto"
import * as DesiredIntake from "@felhom/reconciler/desired/DesiredIntake"
import * as DesiredStore from "@felhom/reconciler/desired/DesiredStore"
import { TrustNews } from "@felhom/reconciler/trust/TrustNews"
import { Effect, Encoding, Layer, Option } from "effect"
import type { Wrongs } from "../Planted.ts"

const here = { id: HostId.make("1".repeat(32)), epoch: HostEpoch.make("2".repeat(32)) }

const wish = (version: number, cores: number): string =>
  Encoding.encodeBase64(JSON.stringify({
    typ: desiredType,
    host: here.id,
    hostEpoch: here.epoch,
    epoch: "3".repeat(32),
    version,
    issued: 1,
    expires: 4_000_000_000_000,
    state: {
      guests: [{
        guest: { type: "lxc", identity: { hwaddrs: [], volumes: ["local:1/a.raw"], smbiosUuid: null, key: null } },
        cores
      }]
    }
  }))

const files = Layer.sync(DurableFile, () => {
  const kept = new Map<string, Uint8Array>()
  return {
    read: (path) => Effect.sync(() => Option.fromNullable(kept.get(path))),
    replace: (path, content) => Effect.sync(() => void kept.set(path, content))
  }
})

const news = Layer.mock(TrustNews, { desiredAudited: () => Effect.void, desiredRefused: () => Effect.void })

/** Desired state never goes back, and one version is one content. */
export const wrongs: Wrongs = Effect.gen(function*() {
  const intake = yield* DesiredIntake.DesiredIntake
  yield* intake.fromHub(wish(5, 1))
  const first = yield* intake.held
  if (first?.version !== 5) return ["a good desired state is not taken"]
  const found: Array<string> = []
  yield* intake.fromHub(wish(4, 1))
  const second = yield* intake.held
  if (second?.version !== 5) found.push(`it went from version 5 to ${second?.version}`)
  yield* intake.fromHub(wish(5, 2))
  const third = yield* intake.held
  if (third?.sha256 !== first.sha256) found.push("version 5 became another")
  return found
}).pipe(
  Effect.provide(
    DesiredIntake.layer(here).pipe(
      Layer.provide(Layer.mergeAll(Layer.provide(DesiredStore.layer("/state"), files), news)),
      Layer.provide(NodeCrypto.layer)
    )
  )
)
