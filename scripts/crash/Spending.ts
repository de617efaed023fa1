import { FileSteps } from "@felhom/domain/port/FileSteps"
import { EpochMillis } from "@felhom/domain/Time"
import * as NonceStore from "@felhom/durable/NonceStore"
import * as NodeCrypto from "@felhom/node/NodeCrypto"
import * as NodeFileSteps from "@felhom/node/NodeFileSteps"
import { Clock, Effect, Layer } from "effect"
import { type Home, stateFolder } from "./Life.ts"
import type { Spends } from "./Report.ts"

/** More than this many nonces make the record so long that it is written anew while it is in use. */
export const enoughToCompact = 26_000

const together = 2_000

// On the spot: how many records share one would else be the disk's affair of the moment, and each life have other steps.
const oneEach = Layer.succeed(FileSteps, NodeFileSteps.stepsOn(Number.MAX_VALUE))

const onStore = <A, E>(
  home: Pick<Home, "folder">,
  writes: Spends["writes"],
  use: Effect.Effect<A, E, NonceStore.NonceStore>
) =>
  Effect.provide(
    use,
    Layer.provide(
      NonceStore.layer(stateFolder(home)),
      Layer.merge(writes === "one each" ? oneEach : NodeFileSteps.layer, NodeCrypto.layer)
    )
  )

const nonceOf = (number: number): string => number.toString(16).padStart(32, "0")

/** Spends the nonces from 0 on, and tells after each few how many were answered for. */
export const spendMany = (
  home: Pick<Home, "folder">,
  { count, writes }: Spends,
  onSpent: (count: number) => void
) =>
  onStore(
    home,
    writes,
    Effect.gen(function*() {
      const store = yield* NonceStore.NonceStore
      const expires = EpochMillis.make((yield* Clock.currentTimeMillis) + 3_600_000)
      for (let from = 0; from < count; from += together) {
        yield* Effect.forEach(
          Array.from({ length: Math.min(together, count - from) }, (_, at) => nonceOf(from + at)),
          (nonce) => store.spend(nonce, expires),
          { concurrency: "unbounded", discard: true }
        )
        onSpent(Math.min(count, from + together))
      }
    })
  )

/** What is wrong with the record of a host that has answered for so many; the epoch is the one that it had before. */
export const spendingWrongs = (home: Pick<Home, "folder">, answered: number, epoch: string) =>
  onStore(
    home,
    "shared",
    Effect.gen(function*() {
      const store = yield* NonceStore.NonceStore
      const wrongs: Array<string> = []
      if ((yield* store.hostEpoch) !== epoch) wrongs.push("the record of nonces has another epoch")
      for (let number = 0; number < answered; number++) {
        if (!(yield* store.isSpent(nonceOf(number)))) wrongs.push(`nonce ${number} of ${answered} can be used again`)
      }
      if (yield* store.isSpent("f".repeat(32))) wrongs.push("a nonce that nobody has used counts as spent")
      yield* store.spend("f".repeat(32), EpochMillis.make((yield* Clock.currentTimeMillis) + 3_600_000))
      return wrongs.slice(0, 5)
    })
  ).pipe(Effect.catchAll(({ message }) => Effect.succeed([`the restart does not come up: ${message}`])))
