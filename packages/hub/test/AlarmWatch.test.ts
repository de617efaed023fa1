import { describe, it } from "@effect/vitest"
import type { Notice } from "@felhom/domain/AlarmApi"
import { HostId } from "@felhom/domain/HostId"
import { HostPublicKey } from "@felhom/domain/HostKey"
import { NodeName } from "@felhom/domain/ProxmoxId"
import { AlarmBook } from "@felhom/hub/AlarmBook"
import * as AlarmWatch from "@felhom/hub/AlarmWatch"
import * as ExpectedHosts from "@felhom/hub/ExpectedHosts"
import * as HostKeyStore from "@felhom/hub/HostKeyStore"
import { HostStore } from "@felhom/hub/HostStore"
import { Ingest } from "@felhom/hub/Ingest"
import { type Channel, NoticeChannels, NoticeError } from "@felhom/hub/NoticeChannels"
import * as Outbox from "@felhom/hub/Outbox"
import * as StoreEpoch from "@felhom/hub/StoreEpoch"
import * as NodeCrypto from "@felhom/node/NodeCrypto"
import { Clock, Effect, Encoding, Layer, Ref, TestClock } from "effect"
import { gzipSync } from "node:zlib"
import { expect } from "vitest"
import { event, from, hostA, report, storage, storages, unavailable, wireReport } from "./ReportBuilder.ts"
import { storeLayer, storeOver } from "./TestStore.ts"

const hostId = (index: number): string => index.toString(16).padStart(32, "0")

/** A channel that keeps what it was sent; it takes nothing while `down`. */
const makeChannel = Effect.gen(function*() {
  const sent = yield* Ref.make<ReadonlyArray<Notice>>([])
  const down = yield* Ref.make(false)
  const channel: Channel = {
    channel: "webhook",
    target: "https://alarms.test",
    send: (notice) =>
      Effect.flatMap(Ref.get(down), (away) =>
        away
          ? new NoticeError({ channel: "webhook", detail: "it answered 500" })
          : Ref.update(sent, (before) => [...before, notice]))
  }
  return { channel, sent, down }
})

const services = (channel: Channel) =>
  AlarmWatch.layer("test").pipe(
    Layer.provideMerge(Layer.mergeAll(Outbox.layer, ExpectedHosts.layer, HostKeyStore.layer)),
    Layer.provideMerge(StoreEpoch.layer),
    Layer.provide([NoticeChannels.layer([channel]), NodeCrypto.layer])
  )

const send = (index: number, sequence: number, more: { readonly [key: string]: unknown } = {}) =>
  Effect.gen(function*() {
    const ingest = yield* Ingest
    const made = {
      host: from(hostId(index), undefined, `host-${index}`),
      sequence,
      takenAt: yield* Clock.currentTimeMillis,
      ...more
    }
    return yield* ingest.accept(report(made), gzipSync(JSON.stringify(wireReport(made))))
  })

/** What the hub does all the time: looks, and delivers what is due. */
const turn = Effect.gen(function*() {
  const watch = yield* AlarmWatch.AlarmWatch
  const outbox = yield* Outbox.Outbox
  yield* watch.look
  yield* outbox.deliver
})

/** Half minutes go by, in each of which these hosts report and the hub looks. */
const report30 = (hosts: ReadonlyArray<number>, start: number, rounds: number, more: object = {}) =>
  Effect.forEach(
    Array.from({ length: rounds }, (_, round) => start + round),
    (sequence) =>
      Effect.forEach(hosts, (index) => send(index, sequence, { ...more }), { discard: true }).pipe(
        Effect.zipRight(turn),
        Effect.zipRight(TestClock.adjust("30 seconds"))
      ),
    { discard: true }
  )

const quiet = (minutes: number) => report30([], 0, 2 * minutes)

/** A hub that watches, on a store of its own. */
const withWatch = <A, E, R>(
  use: (channel: Effect.Effect.Success<typeof makeChannel>) => Effect.Effect<A, E, R>
) => Effect.flatMap(makeChannel, (made) => Effect.provide(use(made), services(made.channel)))

const kinds = (sent: Ref.Ref<ReadonlyArray<Notice>>) =>
  Effect.map(
    Ref.get(sent),
    (notices) => notices.map(({ alarm, kind }) => `${kind} ${alarm?.cause} ${alarm?.hostCount}`)
  )

const attic = HostId.make(hostA)

describe("the watch", () => {
  it.scoped("tells of ten hosts that fall silent in one message, and once when they are back", () =>
    withWatch(({ sent }) =>
      Effect.gen(function*() {
        const hosts = Array.from({ length: 10 }, (_, index) => index + 1)
        yield* report30(hosts, 1, 2)
        yield* quiet(6)
        expect(yield* kinds(sent)).toEqual(["raised silent 10"])
        const [notice] = yield* Ref.get(sent)
        expect(notice?.title).toBe("no host reports any more (10 of 10): the hub's own network is the likely cause")
        expect(notice?.text).toContain("host-7 (00000000) since ")
        yield* report30(hosts, 3, 14)
        expect(yield* kinds(sent)).toEqual(["raised silent 10", "recovered silent 10"])
      })
    ).pipe(Effect.provide(storeLayer)))

  it.scoped("takes a Proxmox that is away for one cause, however much it hides", () =>
    withWatch(({ sent }) =>
      Effect.gen(function*() {
        const hidden = {
          inventory: {
            ...wireReport().inventory,
            guests: unavailable("connection refused"),
            storages: unavailable("connection refused")
          },
          events: [event(1, { kind: "proxmox.unreachable", message: "connection refused" })]
        }
        yield* report30([1], 1, 6, hidden)
        expect(yield* kinds(sent)).toEqual(["raised proxmox 1"])
      })
    ).pipe(Effect.provide(storeLayer)))

  it.scoped("of a hub that was down blames no host, lets each come back, and forgets nobody", () =>
    Effect.gen(function*() {
      const { channel, sent } = yield* makeChannel
      yield* Effect.provide(
        Effect.zipRight(
          report30([1, 2, 3], 1, 2),
          Effect.zipRight(report30([1, 2], 3, 8), TestClock.adjust("1 second"))
        ),
        services(channel)
      )
      expect(yield* kinds(sent)).toEqual(["raised silent 1"])
      yield* TestClock.adjust("1 hour")
      // Started again: another uptime, another watch, the same store.
      yield* Effect.gen(function*() {
        yield* quiet(2)
        const list = yield* Effect.flatMap(HostStore, (hosts) => hosts.list)
        expect(list.map(({ host, presence }) => `${host.node} ${presence}`)).toEqual([
          "host-3 silent",
          "host-1 late",
          "host-2 late"
        ])
        yield* report30([1], 20, 20)
        expect(yield* kinds(sent)).toEqual(["raised silent 1", "worse silent 2"])
        expect((yield* Ref.get(sent))[1]?.alarm?.hosts.map(({ node }) => node)).toEqual(["host-2", "host-3"])
      }).pipe(Effect.provide(Layer.provideMerge(services(channel), storeOver)))
    }).pipe(Effect.provide(storeLayer)))

  it.scoped("keeps a notice until the channel takes it, and says meanwhile that it fails", () =>
    withWatch(({ down, sent }) =>
      Effect.gen(function*() {
        const outbox = yield* Outbox.Outbox
        yield* Ref.set(down, true)
        yield* report30([1], 1, 4, { inventory: storages(storage("nas", { active: false })) })
        expect(yield* kinds(sent)).toEqual([])
        expect(yield* outbox.channels).toMatchObject([{ lastError: "it answered 500", waiting: 1 }])
        expect((yield* outbox.channels)[0]?.failingSince).not.toBeNull()
        yield* Ref.set(down, false)
        yield* report30([1], 5, 6, { inventory: storages(storage("nas", { active: false })) })
        expect(yield* kinds(sent)).toEqual(["raised storage.offline nas 1"])
        expect(yield* outbox.channels).toMatchObject([{ failingSince: null, lastError: null, waiting: 0 }])
      })
    ).pipe(Effect.provide(storeLayer)))

  it.scoped("gives a notice up after a day, and goes on saying that the channel fails", () =>
    withWatch(({ down, sent }) =>
      Effect.gen(function*() {
        const outbox = yield* Outbox.Outbox
        yield* Ref.set(down, true)
        yield* report30([1], 1, 4, { inventory: storages(storage("nas", { active: false })) })
        yield* Effect.replicateEffect(Effect.zipRight(TestClock.adjust("30 minutes"), outbox.deliver), 52)
        expect(yield* outbox.channels).toMatchObject([{ waiting: 0, lastError: "it answered 500" }])
        yield* Ref.set(down, false)
        yield* Effect.zipRight(TestClock.adjust("1 hour"), outbox.deliver)
        expect(yield* kinds(sent)).toEqual([])
      })
    ).pipe(Effect.provide(storeLayer)))

  it.scoped("shows what was acknowledged, by whom and until when, and no longer as what needs attention", () =>
    withWatch(() =>
      Effect.gen(function*() {
        const book = yield* AlarmBook
        const hosts = yield* HostStore
        const offline = { inventory: storages(storage("nas", { active: false })) }
        yield* report30([1], 1, 4, offline)
        expect(yield* hosts.list).toMatchObject([{ attention: ["storage nas is offline"], acknowledged: [] }])
        const [alarm] = yield* book.open
        yield* book.acknowledge(alarm?.id ?? 0, "me", 4 * 3600, "new disk ordered")
        yield* report30([1], 5, 1, offline)
        expect(yield* hosts.list).toMatchObject([{
          attention: [],
          acknowledged: [
            "storage nas is offline (acknowledged by me until 1970-01-01 04:02 UTC: new disk ordered)"
          ]
        }])
      })
    ).pipe(Effect.provide(storeLayer)))

  it.scoped("tells of a host that was accepted and never reported, after an hour", () =>
    withWatch(({ sent }) =>
      Effect.gen(function*() {
        const keys = yield* HostKeyStore.HostKeyStore
        const expected = yield* ExpectedHosts.ExpectedHosts
        const publicKey = HostPublicKey.make(Encoding.encodeBase64(new Uint8Array(32).fill(9)))
        yield* keys.wait({ host: attic, publicKey, node: NodeName.make("attic"), agentVersion: "1" })
        yield* keys.accept(attic, publicKey, "me")
        expect(yield* expected.list).toMatchObject([{ node: "attic", attention: null }])
        yield* TestClock.adjust("65 minutes")
        yield* quiet(2)
        expect((yield* expected.list)[0]?.attention).toContain("has not reported yet")
        expect(yield* kinds(sent)).toEqual(["raised unreported 1"])
      })
    ).pipe(Effect.provide(storeLayer)))

  it.scoped("expects nothing of a host that was retired", () =>
    withWatch(({ sent }) =>
      Effect.gen(function*() {
        const keys = yield* HostKeyStore.HostKeyStore
        const hosts = yield* HostStore
        yield* send(1, 1)
        yield* TestClock.adjust("1 second")
        yield* keys.retire(HostId.make(hostId(1)), "me")
        yield* quiet(10)
        expect(yield* kinds(sent)).toEqual([])
        expect(yield* hosts.list).toMatchObject([{ attention: [], retiredAt: 1000 }])
        yield* send(1, 2)
        expect((yield* hosts.list)[0]?.attention[0]).toContain("was retired and reports all the same")
      })
    ).pipe(Effect.provide(storeLayer)))
})

describe("a critical event", () => {
  it.scoped.each([-86_400_000, 86_400_000])(
    "of a host whose clock is off by %d ms calls for attention for a day by the hub's clock",
    (off) =>
      Effect.gen(function*() {
        yield* TestClock.adjust("10 days")
        const now = yield* Clock.currentTimeMillis
        const critical = event(1, { at: now + 3 * off, kind: "guest.disappeared", severity: "critical" })
        yield* send(1, 1, { takenAt: now + off, events: [critical] })
        const attention = Effect.map(
          Effect.flatMap(HostStore, (hosts) => hosts.list),
          ([host]) => host?.attention.join("; ")
        )
        expect(yield* attention).toContain(off < 0 ? "its clock is 1 day behind" : "its clock is 1 day ahead")
        expect(yield* attention).toContain("guest.disappeared lxc/101")
        yield* TestClock.adjust("23 hours")
        expect(yield* attention).toContain("guest.disappeared lxc/101")
        yield* TestClock.adjust("2 hours")
        expect(yield* attention).not.toContain("guest.disappeared lxc/101")
      }).pipe(Effect.provide(storeLayer))
  )
})
