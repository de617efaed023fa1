import { HttpApiBuilder, type HttpApiGroup } from "@effect/platform"
import { HubApi } from "@felhom/domain/HubApi"
import { HubNotFound } from "@felhom/domain/HubRefusal"
import { Crypto } from "@felhom/domain/port/Crypto"
import { Clock, Effect, Layer, Option } from "effect"
import { AlarmBook, shown } from "./AlarmBook.ts"
import { AlarmWatch } from "./AlarmWatch.ts"
import { operatorLayer } from "./Authorization.ts"
import { HostStore } from "./HostStore.ts"
import { testNotice } from "./NoticeText.ts"
import { Outbox } from "./Outbox.ts"
import { requires } from "./RequiredRole.ts"
import type { TokenStore } from "./TokenStore.ts"
import { unavailable } from "./Unavailable.ts"

/** Alarms and notices, for people. */
export const layer: Layer.Layer<
  HttpApiGroup.ApiGroup<"felhom-hub", "alarms">,
  never,
  AlarmBook | AlarmWatch | HostStore | Outbox | Crypto | TokenStore
> = HttpApiBuilder.group(HubApi, "alarms", (handlers) =>
  Effect.gen(function*() {
    const book = yield* AlarmBook
    const { sender } = yield* AlarmWatch
    const hosts = yield* HostStore
    const outbox = yield* Outbox
    const crypto = yield* Crypto
    const fleet = Effect.map(hosts.list, (list) => list.filter(({ retiredAt }) => retiredAt === null).length)
    return handlers
      .handle("list", ({ urlParams }) =>
        Effect.gen(function*() {
          const size = yield* fleet
          const alarms = yield* urlParams.all ? book.all : book.open
          return { alarms: alarms.map((alarm) => shown(alarm, size)), channels: yield* outbox.channels }
        }).pipe(Effect.catchAll(unavailable)))
      .handle("acknowledge", ({ path: { alarmId }, payload: { note, seconds } }) =>
        Effect.gen(function*() {
          const by = yield* requires("operator")
          const found = yield* Effect.catchAll(book.acknowledge(alarmId, by, seconds, note), unavailable)
          if (Option.isNone(found)) {
            return yield* new HubNotFound({ message: `no alarm ${alarmId} is open; see felhom alarms` })
          }
          return shown(found.value, yield* Effect.catchAll(fleet, unavailable))
        }))
      .handle("test", () =>
        Effect.gen(function*() {
          const by = yield* requires("admin")
          const now = yield* Clock.currentTimeMillis
          const notice = testNotice(yield* crypto.randomHex(16), sender, by, now)
          return yield* Effect.catchAll(outbox.test(notice), unavailable)
        }))
  })).pipe(Layer.provide(operatorLayer))
