import { describe, it } from "@effect/vitest"
import { spelledOut } from "@felhom/operator/RepeatedOptions"
import { Effect, Either } from "effect"
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { expect } from "vitest"
import { desiredWorld, known } from "./DesiredWorld.ts"

describe("felhom apply takes its files in every way that people write them", () => {
  it.scopedLive("--file=FILE, --file FILE, -f FILE and -f=FILE, among other options and mixed", () =>
    Effect.gen(function*() {
      const { host, operator, trusts, write } = yield* desiredWorld()
      yield* host.reports([known(101, "blog"), known(102, "wiki")])
      yield* trusts
      const one = write("one=1.yaml", "host: attic\nguests:\n  blog: { power: running }\n")
      const two = write("two.yaml", "host: attic\nguests:\n  wiki: { power: running }\n")
      for (
        const files of [
          [`--file=${one}`, `--file=${two}`],
          ["--file", one, `--file=${two}`],
          ["-f", one, "--output", "text", `--file=${two}`],
          [`-f=${one}`, "--reason=for the family", "-f", two]
        ]
      ) {
        const { code, err, out } = yield* operator.felhom(["apply", ...files, "--dry-run"])
        expect({ files, code, err }).toEqual({ files, code: 0, err: "" })
        expect(out).toContain("+ lxc/101 blog: power running")
        expect(out).toContain("+ lxc/102 wiki: power running")
      }
      const done = yield* operator.felhom(["apply", `--file=${one}`, "--yes"])
      expect(done).toMatchObject({ code: 0, err: "" })
      expect(done.out).toContain("applied to attic as version 1")
    }))

  it.scopedLive("and applies nothing where one of them lacks its file", () =>
    Effect.gen(function*() {
      const { host, operator, trusts, write } = yield* desiredWorld()
      yield* host.reports([known(101, "blog")])
      yield* trusts
      const path = write("attic.yaml", "host: attic\nguests:\n  blog: { power: running }\n")
      for (const rest of [["--file="], ["--file"], ["-f"], ["-f", ""], ["--file", "--yes"]]) {
        const { code, err } = yield* operator.felhom(["apply", "--yes", "-f", path, ...rest])
        expect({ rest, code }).toEqual({ rest, code: 2 })
        expect(err).toMatch(/^(?:--file|-f) has no value: write (?:--file|-f) FILE, once for each/)
      }
      expect((yield* operator.felhom(["desired", "log", "attic"])).out).toContain("nothing was ever applied")
    }))
})

it("What is no repeated option stays as it was written", () => {
  const args = ["node", "felhom.js", "op", "guest.destroy", "--reason=a=b", "--files=x", "-", "--file=-x", ""]
  expect(spelledOut(args)).toEqual(Either.right([...args.slice(0, 7), "--file", "-x", ""]))
})

it("No command has another option that may be given several times, of which one way to write it would be lost", () => {
  const sources = ["operator", "agent", "hub", "pve-sim"].flatMap((name) => {
    const folder = join(import.meta.dirname, "../..", name, "src")
    return readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((file) => file.endsWith(".ts"))
      .map((file) => join(folder, file))
  })
  const found = sources.filter((file) =>
    /Options\.(?:atLeast|atMost|between|repeated|keyValueMap)\b/.test(readFileSync(file, "utf8"))
  )
  expect(found.map((file) => file.replace(/^.*\//, ""))).toEqual(["RepeatedOptions.ts"])
})
