import { NodeContext } from "@effect/platform-node"
import { describe, it } from "@effect/vitest"
import { exitCodeOf, run } from "@felhom/hub/HubCli"
import { ConfigProvider, Effect, Exit, Schema } from "effect"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { expect } from "vitest"

const folder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "felhom-hub-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
)

/** Runs one command line; what it wrote, and its exit code. */
const hub = (args: ReadonlyArray<string>, environment: Iterable<readonly [string, string]> = []) =>
  Effect.gen(function*() {
    const console = yield* Effect.console
    const out: Array<string> = []
    const err: Array<string> = []
    const code = yield* run(["node", "hub.js", ...args]).pipe(
      Effect.withConsole({
        ...console,
        log: (...texts) => Effect.sync(() => out.push(...texts.map(String))),
        error: (...texts) => Effect.sync(() => err.push(...texts.map(String)))
      }),
      Effect.withConfigProvider(ConfigProvider.fromMap(new Map(environment)))
    )
    return { code, out: out.join("\n"), err: err.join("\n") }
  }).pipe(Effect.provide(NodeContext.layer))

const Created = Schema.parseJson(Schema.Struct({ token: Schema.String, id: Schema.String, role: Schema.String }))

describe("token", () => {
  it.scoped("is shown once and kept as a hash", () =>
    Effect.gen(function*() {
      const data = yield* folder
      const created = yield* hub(["token", "create", "--role", "host", "--label", "attic", "--data", data])
      expect(created.code).toBe(0)
      expect(created.out).toMatch(/^felhom_host_[A-Za-z0-9_-]{43}$/)
      const listed = yield* hub(["token", "list"], [["FELHOM_HUB_DATA", data]])
      expect(listed.out).toMatch(/^[0-9a-f]{12} {2}host .* live .* attic$/)
      const stored = readFileSync(join(data, "hub.db")).toString("latin1")
      expect(stored).not.toContain(created.out.slice("felhom_host_".length))
    }))

  it.scoped("is revoked by the beginning of its id, once", () =>
    Effect.gen(function*() {
      const data = yield* folder
      const created = yield* hub([
        "token",
        "create",
        "--role",
        "viewer",
        "--label",
        "me",
        "--data",
        data,
        "--output",
        "json"
      ])
      const { id, role } = yield* Schema.decode(Created)(created.out)
      expect(role).toBe("viewer")
      expect((yield* hub(["token", "revoke", "--data", data, id.slice(0, 6)])).out).toBe(`revoked ${id} (me)`)
      const again = yield* hub(["token", "revoke", "--data", data, id.slice(0, 6)])
      expect(again.code).toBe(1)
      expect(again.err).toContain("token list")
    }))

  it.scoped("labels can't play with the terminal", () =>
    Effect.gen(function*() {
      const data = yield* folder
      yield* hub(["token", "create", "--role", "viewer", "--label", "\u001b[2Jme", "--data", data])
      expect((yield* hub(["token", "list", "--data", data])).out).toContain("\\u001b[2Jme")
    }))
})

describe("a wrong command line or environment ends with 2 and a sentence", () => {
  it.effect.each([
    { args: ["serve"], says: "--data" },
    { args: ["serve", "--data", "x", "--listen", "nowhere"], says: "\"nowhere\" is not HOST:PORT" },
    { args: ["serve", "--data", "x", "--report-interval", "0"], says: "whole number between 1 and 3600" },
    { args: ["sing"], says: "Invalid subcommand" },
    { args: ["token", "create", "--role", "king", "--label", "x", "--data", "x"], says: "viewer" }
  ])("$args", ({ args, says }) =>
    Effect.gen(function*() {
      const { code, err } = yield* hub(args)
      expect(err).toContain(says)
      expect(code).toBe(2)
    }))

  it.effect("from the environment", () =>
    Effect.gen(function*() {
      const { code, err } = yield* hub(["serve"], [["FELHOM_HUB_DATA", "x"], ["FELHOM_HUB_LISTEN", "nowhere"]])
      expect(err).toContain("FELHOM_HUB_LISTEN")
      expect(code).toBe(2)
    }))
})

it.effect("a mail address without a mail server ends with 2, and no secret is shown", () =>
  Effect.gen(function*() {
    const mail = ["FELHOM_HUB_NOTIFY_MAIL", "me@felhom.test"] as const
    const without = yield* hub(["serve", "--data", "/dev/null/hub"], [mail])
    expect(without).toMatchObject({ code: 2, err: expect.stringContaining("FELHOM_HUB_SMTP_URL") })
    const bad = yield* hub(["serve", "--data", "/dev/null/hub"], [mail, ["FELHOM_HUB_SMTP_URL", "http://u:s3cret@h"]])
    expect(bad).toMatchObject({ code: 2, err: expect.stringContaining("smtps://") })
    expect(bad.err).not.toContain("s3cret")
  }))

it.effect("fails with 1 when its folder can't be made", () =>
  Effect.gen(function*() {
    const { code, err } = yield* hub(["token", "list", "--data", "/dev/null/hub"])
    expect(code).toBe(1)
    expect(err).toContain("FELHOM_HUB_DATA")
  }))

it.effect("says its version", () =>
  Effect.gen(function*() {
    const { code, out } = yield* hub(["--version"])
    expect(out.trim()).toMatch(/^\d+\.\d+\.\d+$/)
    expect(code).toBe(0)
  }))

it("a stop that was asked for is no failure", () => {
  expect(exitCodeOf(Exit.interrupt(Effect.runSync(Effect.fiberId)))).toBe(0)
  expect(exitCodeOf(Exit.succeed(2))).toBe(2)
  expect(exitCodeOf(Exit.die("fault"))).toBe(1)
})
