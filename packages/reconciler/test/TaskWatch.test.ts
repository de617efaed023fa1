import { describe, it } from "@effect/vitest"
import { NodeName, TokenId } from "@felhom/domain/ProxmoxId"
import { Upid } from "@felhom/domain/Upid"
import { ProxmoxClient } from "@felhom/proxmox/ProxmoxClient"
import { ProxmoxError } from "@felhom/proxmox/ProxmoxError"
import type { TaskRow } from "@felhom/proxmox/TaskRows"
import { backupsChanged, configsChanged, makeTaskWatch, snapshotsChanged } from "@felhom/reconciler/TaskWatch"
import { Effect, Layer, Ref, TestClock } from "effect"
import { expect } from "vitest"

const task = (type: string, starttime: number, endtime: number | null, id: string | null = "101"): TaskRow => ({
  upid: Upid.make(
    `UPID:demo:00000001:00000001:${starttime.toString(16).padStart(8, "0")}:${type}:${id ?? ""}:root@pam:`
  ),
  node: "demo",
  type,
  id,
  user: "root@pam",
  tokenid: null,
  starttime,
  endtime,
  status: endtime === null ? "RUNNING" : "OK"
})

const away = new ProxmoxError({
  reason: "unreachable",
  method: "GET",
  path: "/tasks",
  host: "demo:8006",
  tokenId: "felhom-agent@pve!agent",
  status: null,
  detail: "",
  errors: {}
})

/** A node with a list of tasks that the test owns, which filters by start as Proxmox does. */
const makeNode = Effect.gen(function*() {
  const tasks = yield* Ref.make<ReadonlyArray<TaskRow> | "away">([])
  const layer = Layer.mock(ProxmoxClient, {
    node: NodeName.make("demo"),
    tokenId: TokenId.make("felhom-agent@pve!agent"),
    tasks: ({ since = 0 }) =>
      Effect.flatMap(Ref.get(tasks), (all) =>
        all === "away"
          ? Effect.fail(away)
          : Effect.succeed({ rows: all.filter(({ starttime }) => starttime >= since), unreadable: [] }))
  })
  const watch = yield* makeTaskWatch
  const types = watch.pipe(Effect.map((ended) => ended.map(({ type }) => type)), Effect.provide(layer))
  return { tasks, types }
})

describe("watching tasks", () => {
  it.effect("tells each end once, and nothing of what was over before", () =>
    Effect.gen(function*() {
      const { tasks, types } = yield* makeNode
      yield* TestClock.setTime(1_000_000)
      yield* Ref.set(tasks, [task("vzdump", 900, 950)])
      expect(yield* types).toEqual([])
      yield* Ref.set(tasks, [task("vzdump", 900, 950), task("imgdel", 990, 991)])
      expect(yield* types).toEqual(["imgdel"])
      expect(yield* types).toEqual([])
    }))

  it.effect("does not miss the end of a long task behind shorter ones", () =>
    Effect.gen(function*() {
      const { tasks, types } = yield* makeNode
      yield* TestClock.setTime(1_000_000)
      yield* Ref.set(tasks, [task("vzdump", 900, null), task("vzstart", 950, 951)])
      yield* types
      yield* Ref.set(tasks, [task("vzdump", 900, null), task("vzstart", 950, 951), task("vzstop", 970, 971)])
      expect(yield* types).toEqual(["vzstop"])
      yield* Ref.set(tasks, [task("vzdump", 900, 980), task("vzstart", 950, 951), task("vzstop", 970, 971)])
      expect(yield* types).toEqual(["vzdump"])
    }))

  it.effect("goes on after the clock was set back", () =>
    Effect.gen(function*() {
      const { tasks, types } = yield* makeNode
      yield* TestClock.setTime(9_000_000)
      yield* Ref.set(tasks, [task("vzdump", 8000, 8001)])
      yield* types
      yield* TestClock.setTime(1_000_000)
      yield* types
      yield* Ref.set(tasks, [task("vzdump", 8000, 8001), task("imgdel", 1001, 1002)])
      expect(yield* types).toEqual(["imgdel"])
    }))

  it.effect("takes a list that can't be read for none, and tells the ends afterwards", () =>
    Effect.gen(function*() {
      const { tasks, types } = yield* makeNode
      yield* TestClock.setTime(1_000_000)
      yield* types
      yield* Ref.set(tasks, "away")
      expect(yield* types).toEqual([])
      yield* Ref.set(tasks, [task("vzdump", 990, 991)])
      expect(yield* types).toEqual(["vzdump"])
    }))
})

describe("what a task changes", () => {
  it("is a list of backups, snapshots or a configuration", () => {
    const ended = [
      { type: "vzdump", id: "101" },
      { type: "vzdelsnapshot", id: "102" },
      { type: "vzrollback", id: "103" },
      { type: "resize", id: "104" },
      { type: "vzstop", id: "105" },
      { type: "startall", id: null }
    ]
    expect(backupsChanged(ended)).toBe(true)
    expect(backupsChanged(ended.slice(1))).toBe(false)
    expect([...snapshotsChanged(ended)]).toEqual(["102", "103"])
    expect([...configsChanged(ended)]).toEqual(["103", "104"])
  })
})
