import { SnapshotName, Vmid } from "@felhom/domain/ProxmoxId"
import * as OpJournal from "@felhom/durable/OpJournal"
import { Mandate } from "@felhom/mandate/Mandate"
import { Effect, Layer } from "effect"
import type { Wrongs } from "../Planted.ts"

const guest = { type: "lxc", vmid: Vmid.make(9999) } as const

/** What somebody else made is not ours to remove, whatever it is called. */
export const wrongs: Wrongs = Effect.gen(function*() {
  const journal = yield* OpJournal.OpJournal
  const names = ["felhom-selftest", "before"]
  const given = yield* Effect.filter(
    names,
    (name) =>
      Effect.match(journal.own({ op: "snapshot.delete", guest, snapshot: SnapshotName.make(name) }), {
        onFailure: () => false,
        onSuccess: () => true
      })
  )
  return given.map((name) => `there is no record of ${name}, and there is a mandate to remove it`)
}).pipe(Effect.provide(Layer.provide(OpJournal.layerMemory, Mandate.mintLayer)))
