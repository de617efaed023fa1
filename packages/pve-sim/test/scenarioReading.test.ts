import { FileSystem, Path } from "@effect/platform"
import { NodeContext } from "@effect/platform-node"
import { it } from "@effect/vitest"
import { conforming, play } from "@felhom/pve-sim/conform/Conform"
import { readScenario } from "@felhom/pve-sim/conform/Recording"
import { Effect, Schema } from "effect"
import { fileURLToPath } from "node:url"
import { expect } from "vitest"

const recorded = fileURLToPath(new URL("../fixtures/scenario", import.meta.url))

const Members = Schema.parseJson(Schema.Record({ key: Schema.String, value: Schema.Unknown }))

const without = (world: { readonly [key: string]: unknown }, ...keys: ReadonlyArray<string>) =>
  Object.fromEntries(Object.entries(world).filter(([key]) => !keys.includes(key)))

/** A folder with some of the recorded exchanges, a world that differs from the recorded one, and other files. */
const folderOf = (
  numbers: ReadonlyArray<string>,
  change: (world: { [key: string]: unknown }) => { readonly [key: string]: unknown },
  others: { readonly [name: string]: string } = {}
) =>
  Effect.gen(function*() {
    const files = yield* FileSystem.FileSystem
    const path = yield* Path.Path
    const folder = yield* files.makeTempDirectoryScoped()
    const world = yield* Effect.flatMap(
      files.readFileString(path.join(recorded, "world.json")),
      Schema.decode(Members)
    )
    yield* files.writeFileString(path.join(folder, "world.json"), JSON.stringify(change({ ...world })))
    for (const name of yield* files.readDirectory(recorded)) {
      if (numbers.some((number) => name.startsWith(`${number}-`))) {
        yield* files.copyFile(path.join(recorded, name), path.join(folder, name))
      }
    }
    for (const [name, text] of Object.entries(others)) yield* files.writeFileString(path.join(folder, name), text)
    return folder
  })

it.scoped("a world that leaves out what is empty, and writes lists as texts, is read all the same", () =>
  Effect.gen(function*() {
    const folder = yield* folderOf(
      ["016", "017"],
      (world) => ({
        ...without(world, "bridges", "disks", "network", "pools"),
        groups: [{ groupid: "staff", users: "felhom-agent@pve,root@pam" }],
        roles: { ...(world["roles"] as object), Extra: "VM.Audit, Sys.Audit" },
        cluster_tasks_at_start: [{
          upid: "UPID:demo-felhom:000000CA:000644C0:6B023651:vzstop:9999:root@pam:",
          user: "root@pam"
        }]
      })
    )
    const scenario = yield* readScenario(folder)
    expect(scenario.world.groups[0]?.users).toEqual(["felhom-agent@pve", "root@pam"])
    expect(scenario.world.roles["Extra"]).toEqual(["VM.Audit", "Sys.Audit"])
    expect(conforming(yield* play(scenario))).toBe(2)
  }).pipe(Effect.provide(NodeContext.layer)))

it.scoped("what root did may stand in a file of its own, as commands in parts", () =>
  Effect.gen(function*() {
    const folder = yield* folderOf(["016"], (world) => without(world, "out_of_band"), {
      "out-of-band.json": JSON.stringify([
        { before_n: 16, command: ["pct", "set", "9999", "--tags", "one"], output: null, seconds: 0.1 }
      ])
    })
    const { exchanges, undone } = yield* play(yield* readScenario(folder))
    expect(undone).toEqual([])
    expect(exchanges[0]?.differences).toContain("body.data.tags: only simulated")
  }).pipe(Effect.provide(NodeContext.layer)))

it.scoped("a token that the real host let in is there, though the world does not name it", () =>
  Effect.gen(function*() {
    const folder = yield* folderOf(["302", "303"], (world) => ({
      ...world,
      tokens: (world["tokens"] as ReadonlyArray<{ readonly tokenid: string }>).filter(({ tokenid }) =>
        !tokenid.endsWith("!noacl")
      )
    }))
    expect(conforming(yield* play(yield* readScenario(folder)))).toBe(2)
  }).pipe(Effect.provide(NodeContext.layer)))
