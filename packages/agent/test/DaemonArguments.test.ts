import { expect, it } from "@effect/vitest"
import { plainDaemon } from "@felhom/agent/DaemonArguments"

it("reads the daemon's plain arguments as a unit file gives them", () => {
  expect(plainDaemon(["daemon"])).toEqual({ config: undefined, output: "text" })
  expect(plainDaemon(["daemon", "--output", "json", "--config", "/etc/a.json"])).toEqual({
    config: "/etc/a.json",
    output: "json"
  })
})

it.each([
  [],
  ["doctor"],
  ["daemon", "--help"],
  ["daemon", "--output"],
  ["daemon", "--output", "xml"],
  ["daemon", "--config", "--output"],
  ["daemon", "--output", "json", "--output", "text"],
  ["daemon", "--output=json"],
  ["daemon", "x", "y"]
])("leaves all else to the whole command line: %j %j %j", (...args: ReadonlyArray<string>) => {
  expect(plainDaemon(args)).toBeUndefined()
})
