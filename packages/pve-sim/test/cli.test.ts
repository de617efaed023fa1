import { FileSystem } from "@effect/platform"
import { NodeContext } from "@effect/platform-node"
import { it } from "@effect/vitest"
import * as Cli from "@felhom/pve-sim/Cli"
import { Effect } from "effect"
import { fileURLToPath } from "node:url"
import { expect } from "vitest"

/** Runs the command line; what it says, and its exit code. */
const told = (...args: ReadonlyArray<string>) =>
  Effect.gen(function*() {
    const lines: Array<string> = []
    const code = yield* Effect.consoleWith((console) =>
      Cli.run(["node", "pve-sim.js", ...args]).pipe(
        Effect.withConsole({
          ...console,
          log: (...parts: ReadonlyArray<unknown>) =>
            Effect.sync(() => {
              lines.push(parts.join(" "))
            }),
          error: (...parts: ReadonlyArray<unknown>) =>
            Effect.sync(() => {
              lines.push(parts.join(" "))
            })
        })
      )
    )
    return { code, lines }
  }).pipe(Effect.provide(NodeContext.layer))

it.effect("a wrong address is one sentence that shows a right one, and exit 2", () =>
  Effect.gen(function*() {
    expect(yield* told("serve", "--listen", "8006")).toEqual({
      code: 2,
      lines: ["--listen 8006: not HOST:PORT, such as 127.0.0.1:8006"]
    })
  }))

it.live("a control port for a whole network is refused as a wrong call", () =>
  Effect.gen(function*() {
    const { code, lines } = yield* told("serve", "--listen", "127.0.0.1:0", "--control", "0.0.0.0:0")
    expect(code).toBe(2)
    expect(lines.join()).toContain("a loopback address only")
  }))

it.effect("a privilege that does not exist is named", () =>
  Effect.gen(function*() {
    expect(yield* told("serve", "--privileges", "VM.Audit,VM.Monitor")).toEqual({
      code: 2,
      lines: ["--privileges: Proxmox VE 9 has no privilege VM.Monitor"]
    })
  }))

it.effect("a node is called what a host can be called", () =>
  Effect.gen(function*() {
    expect(yield* told("serve", "--node", "../attic")).toEqual({
      code: 2,
      lines: ["--node ../attic: not a host name, such as attic"]
    })
  }))

it.effect("a host can't stand still or run backwards", () =>
  Effect.gen(function*() {
    expect((yield* told("serve", "--speed", "0")).lines).toEqual([
      "--speed 0: must be above 0; 1 is as fast as a real host"
    ])
  }))

it.effect("a cluster has at least the host itself", () =>
  Effect.gen(function*() {
    const { code, lines } = yield* told("serve", "--nodes", "0")
    expect(code).toBe(2)
    expect(lines).toEqual(["--nodes 0: must be 1 to 32; 1 is a host without a cluster"])
  }))

it.live("a file that is not there, or is no world, is named", () =>
  Effect.gen(function*() {
    const missing = yield* told("serve", "--world", "/nonexistent/world.json")
    expect(missing.code).toBe(2)
    expect(missing.lines.join()).toContain("--world /nonexistent/world.json: ")
    const other = yield* told("serve", "--world", new URL("../package.json", import.meta.url).pathname)
    expect(other.code).toBe(2)
    expect(other.lines.join()).toContain("package.json as a world")
  }))

it.live("secrets never show up in an error", () =>
  Effect.gen(function*() {
    const { code, lines } = yield* told("serve", "--tokens", new URL("../package.json", import.meta.url).pathname)
    expect(code).toBe(2)
    expect(lines.join()).not.toContain("felhom/pve-sim\"")
    expect(lines).toHaveLength(1)
  }))

it.effect("an option that there is not ends with 2", () =>
  Effect.gen(function*() {
    expect((yield* told("serve", "--sped", "2")).code).toBe(2)
  }))

const fixture = fileURLToPath(new URL("../fixtures/scenario/", import.meta.url))

/** A scenario of one recorded exchange, changed as `edit` says; gone with the scope. */
const smallScenario = (names: ReadonlyArray<string>, edit: (text: string) => string) =>
  Effect.gen(function*() {
    const files = yield* FileSystem.FileSystem
    const folder = yield* files.makeTempDirectoryScoped()
    for (const name of ["world.json", ...names]) {
      const text = yield* files.readFileString(`${fixture}${name}`)
      yield* files.writeFileString(`${folder}/${name}`, name === "world.json" ? text : edit(text))
    }
    return folder
  }).pipe(Effect.provide(NodeContext.layer))

it.scopedLive("an exchange that conforms is counted, and one that does not is shown, and fails", () =>
  Effect.gen(function*() {
    const good = yield* smallScenario(["001-version.json"], (text) => text)
    expect(yield* told("conform", good)).toEqual({ code: 0, lines: ["1 of 1 exchanges conform"] })
    const bad = yield* smallScenario(
      ["001-version.json"],
      (text) => text.replaceAll("\"release\":\"9.2\"", "\"release\":\"9.3\"")
    )
    expect(yield* told("conform", bad)).toEqual({
      code: 1,
      lines: [
        "001 version: body.data.release: \"9.3\" became \"9.2\"",
        "0 of 1 exchanges conform",
        "the simulator differs from the recorded host"
      ]
    })
  }))

it.scopedLive("a folder without an exchange is no success", () =>
  Effect.gen(function*() {
    const empty = yield* smallScenario([], (text) => text)
    const { code, lines } = yield* told("conform", empty)
    expect(code).toBe(1)
    expect(lines.join()).toContain("there is no exchange in it")
  }))

it.effect("a rule that no fault fits is refused with its place", () =>
  Effect.gen(function*() {
    const { code, lines } = yield* told("serve", "--faults", `${fixture}001-version.json`)
    expect(code).toBe(2)
    expect(lines.join()).toContain("--faults")
  }))
