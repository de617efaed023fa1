import { describe, expect, it } from "@effect/vitest"
import { Vmid } from "@felhom/domain/ProxmoxId"
import * as AnswerMemory from "@felhom/proxmox/AnswerMemory"
import { ProxmoxClient } from "@felhom/proxmox/ProxmoxClient"
import { Effect } from "effect"
import { ok, scripted } from "./ScriptedApi.ts"

const storage = (used: number) => ({ storage: "local", type: "dir", content: "backup", active: 1, used })

const usedOf = (client: typeof ProxmoxClient.Service) =>
  Effect.map(client.storages, ({ rows }) => rows.map(({ used }) => used))

describe("an answer that Proxmox gives again", () => {
  it.effect("is what it was, and the moment it says anything else it is that", () => {
    const answers = [1, 1, 2, 2, 1]
    const api = scripted((_, count) => Effect.succeed(ok([storage(answers[count - 1] ?? 0)])))
    return Effect.gen(function*() {
      const client = yield* ProxmoxClient
      for (const used of answers) expect(yield* usedOf(client)).toEqual([used])
      // Nothing is taken from memory without asking.
      expect(api.sent).toHaveLength(answers.length)
    }).pipe(Effect.provide(api.layer))
  })

  it.effect("is read once for as long as its whole text is the same", () => {
    const api = scripted((_, count) => Effect.succeed(ok([storage(count < 3 ? 1 : 2)])))
    return Effect.gen(function*() {
      const client = yield* ProxmoxClient
      const [first, second, third] = [yield* client.storages, yield* client.storages, yield* client.storages]
      expect(second).toBe(first)
      expect(third).not.toBe(first)
    }).pipe(Effect.provide(api.layer))
  })

  it.effect("at another path is another answer, though it says the same", () => {
    const api = scripted(() => Effect.succeed(ok({ digest: "d" })))
    return Effect.gen(function*() {
      const client = yield* ProxmoxClient
      const [one, other] = yield* Effect.forEach(
        [101, 102] as const,
        (vmid) => client.guestConfig({ type: "lxc", vmid: Vmid.make(vmid) })
      )
      expect(other).toEqual(one)
      expect(other).not.toBe(one)
    }).pipe(Effect.provide(api.layer))
  })

  it.effect("is none of a call that failed, whatever was read before", () => {
    const api = scripted((_, count) =>
      Effect.succeed(
        count === 2 ? new Response(JSON.stringify({ data: [storage(1)] }), { status: 500 }) : ok([storage(1)])
      )
    )
    return Effect.gen(function*() {
      const client = yield* ProxmoxClient
      expect(yield* usedOf(client)).toEqual([1])
      expect((yield* Effect.flip(client.storages))._tag).toBe("ProxmoxError")
      expect(yield* usedOf(client)).toEqual([1])
    }).pipe(Effect.provide(api.layer))
  })

  it("is remembered for so many URLs, and what was asked for the longest time ago goes first", () => {
    const memory = AnswerMemory.make<number>()
    for (let n = 0; n < 64; n++) memory.keep(`/${n}`, "text", n)
    memory.keep("/0", "text", 0)
    memory.keep("/64", "text", 64)
    expect([memory.recall("/0", "text"), memory.recall("/1", "text"), memory.recall("/64", "text")]).toEqual(
      [0, undefined, 64]
    )
    expect(memory.recall("/0", "texT")).toBeUndefined()
  })

  it("is not remembered when it is long, and neither is what stood there before", () => {
    const memory = AnswerMemory.make<number>()
    memory.keep("/", "short", 1)
    const long = "x".repeat(65_537)
    memory.keep("/", long, 2)
    expect([memory.recall("/", long), memory.recall("/", "short")]).toEqual([undefined, undefined])
  })
})
