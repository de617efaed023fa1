import { NodeContext } from "@effect/platform-node"
import { it } from "@effect/vitest"
import * as Cli from "@felhom/pve-sim/Cli"
import { Effect } from "effect"
import { expect } from "vitest"

/** Runs the command line; what it says on stderr, and its exit code. */
const told = (...args: ReadonlyArray<string>) =>
  Effect.gen(function*() {
    const lines: Array<string> = []
    const code = yield* Effect.consoleWith((console) =>
      Cli.run(["node", "pve-sim.js", ...args]).pipe(
        Effect.withConsole({
          ...console,
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

it.effect("a host can't stand still or run backwards", () =>
  Effect.gen(function*() {
    expect((yield* told("serve", "--speed", "0")).lines).toEqual([
      "--speed 0: must be above 0; 1 is as fast as a real host"
    ])
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
