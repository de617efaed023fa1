import { describe, it } from "@effect/vitest"
import { Either, Schema } from "effect"
import { execFileSync } from "node:child_process"
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { expect } from "vitest"

const root = join(import.meta.dirname, "../../../..")

/**
 * Who may depend on whom. A floor imports only lower floors, and packages of one floor don't import each other, but for
 * mandate, which may use domain.
 */
const floors: { readonly [name: string]: { readonly floor: number; readonly node: boolean } } = {
  domain: { floor: 0, node: false },
  mandate: { floor: 0, node: false },
  durable: { floor: 1, node: false },
  proxmox: { floor: 2, node: false },
  "hub-client": { floor: 2, node: false },
  privileged: { floor: 2, node: false },
  authz: { floor: 2, node: false },
  node: { floor: 2, node: true },
  reconciler: { floor: 3, node: false },
  agent: { floor: 4, node: true },
  operator: { floor: 4, node: true },
  hub: { floor: 4, node: true },
  "pve-sim": { floor: 4, node: true },
  storm: { floor: 5, node: true }
}

const Manifest = Schema.parseJson(Schema.Struct({
  dependencies: Schema.optionalWith(Schema.Record({ key: Schema.String, value: Schema.String }), {
    default: () => ({})
  }),
  devDependencies: Schema.optionalWith(Schema.Record({ key: Schema.String, value: Schema.String }), {
    default: () => ({})
  })
}))

const manifest = (folder: string) =>
  Schema.decodeUnknownSync(Manifest)(readFileSync(join(root, folder, "package.json"), "utf8"))

const compilerTypes = (folder: string): ReadonlyArray<string> =>
  Schema.decodeUnknownSync(Schema.parseJson(Schema.Struct({
    compilerOptions: Schema.Struct({ types: Schema.optionalWith(Schema.Array(Schema.String), { default: () => [] }) })
  })))(readFileSync(join(root, folder, "tsconfig.json"), "utf8")).compilerOptions.types

const bringsNode = /^(@types\/node|undici|@effect\/platform-node.*|@peculiar\/.*|@libsql\/.*|libsql|@effect\/sql-.*)$/

interface Compiled {
  readonly ok: boolean
  readonly output: string
}

/** Compiles one file as if it stood in the package, with that package's own tsconfig and dependencies. */
const compileIn = (name: string, source: string): Compiled => {
  // Inside the package's node_modules, so that imports resolve as they do for its sources and no other tool sees the file.
  const base = join(root, "packages", name, "node_modules", ".fence")
  mkdirSync(base, { recursive: true })
  const folder = mkdtempSync(join(base, "case-"))
  try {
    writeFileSync(join(folder, "violation.ts"), source)
    writeFileSync(
      join(folder, "tsconfig.json"),
      JSON.stringify({
        extends: "../../../tsconfig.json",
        compilerOptions: { rootDir: root, noEmit: true, composite: false, incremental: false, skipLibCheck: true },
        include: [],
        files: ["violation.ts"],
        references: []
      })
    )
    execFileSync(join(root, "node_modules/.bin/tsc"), ["-p", folder], { encoding: "utf8", stdio: "pipe" })
    return { ok: true, output: "" }
  } catch (error) {
    const output = Schema.decodeUnknownEither(Schema.Struct({ stdout: Schema.String }))(error)
    return { ok: false, output: Either.getOrElse(output, () => ({ stdout: String(error) })).stdout }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

describe("the fence, second lock: packages", () => {
  it("knows every package", () => {
    expect(readdirSync(join(root, "packages")).toSorted()).toEqual(Object.keys(floors).toSorted())
  })

  for (const [name, { floor, node }] of Object.entries(floors)) {
    it(`${name} imports only floors below ${floor}`, () => {
      const own = Object.keys(manifest(`packages/${name}`).dependencies).filter((key) => key.startsWith("@felhom/"))
      for (const dependency of own.map((key) => key.slice("@felhom/".length))) {
        const other = floors[dependency]
        const allowed = other !== undefined &&
          (other.floor < floor || (name === "mandate" && dependency === "domain"))
        expect(allowed, `${name} -> ${dependency}`).toBe(true)
      }
    })

    it(`${name} ${node ? "may" : "may not"} bring Node`, () => {
      const { dependencies, devDependencies } = manifest(`packages/${name}`)
      const found = [...Object.keys(dependencies), ...Object.keys(devDependencies)].filter((key) =>
        bringsNode.test(key)
      )
      expect(found.length > 0).toBe(node)
      expect(compilerTypes(`packages/${name}`)).toEqual(node ? ["node"] : [])
    })
  }

  it("the root brings nothing that all packages could then import", () => {
    const { dependencies, devDependencies } = manifest(".")
    const found = [...Object.keys(dependencies), ...Object.keys(devDependencies)].filter((key) => bringsNode.test(key))
    // The hub's bundle finds its SQL driver there; no package that is held to the fence can do I/O with it but over the network,
    // which the lint lock closes.
    expect(found).toEqual(["libsql"])
  })

  for (const name of ["domain", "mandate", "durable", "proxmox", "hub-client", "privileged", "authz", "reconciler"]) {
    it(`${name} can't resolve a module that starts programs or opens connections`, { timeout: 60_000 }, () => {
      const source = [
        `import * as a from "node:child_process"`,
        `import * as b from "node:https"`,
        `import * as c from "undici"`,
        `import * as d from "@effect/platform-node"`,
        `export const all = [a, b, c, d, process, require]`
      ].join("\n")
      const { ok, output } = compileIn(name, source)
      expect(ok).toBe(false)
      for (
        const what of ["node:child_process", "node:https", "undici", "@effect/platform-node", "process", "require"]
      ) {
        expect(output).toMatch(new RegExp(`(Cannot find (module|name)) '${what}'`))
      }
    })
  }

  it("lets through what is allowed, so that the refusals above mean something", { timeout: 60_000 }, () => {
    expect(compileIn("node", `import * as a from "node:child_process"\nexport const all = [a, process]`)).toEqual({
      ok: true,
      output: ""
    })
    expect(compileIn("proxmox", `import { Effect } from "effect"\nexport const all = [Effect, URL]`)).toEqual({
      ok: true,
      output: ""
    })
  })

  it("the HTTP side can't see the root side, nor the root side the HTTP side", { timeout: 60_000 }, () => {
    for (
      const [name, other] of [
        ["proxmox", "privileged/Privileged"],
        ["hub-client", "privileged/Privileged"],
        ["privileged", "proxmox/ProxmoxClient"],
        ["privileged", "hub-client/HubClient"]
      ] as const
    ) {
      const { ok, output } = compileIn(name, `import * as a from "@felhom/${other}"\nexport const all = [a]`)
      expect(ok, `${name} -> ${other}`).toBe(false)
      expect(output).toContain(`Cannot find module '@felhom/${other}'`)
    }
  })
})
