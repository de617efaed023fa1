import { describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { spawnSync } from "node:child_process"
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { expect } from "vitest"

const root = join(import.meta.dirname, "../../../..")

const Output = Schema.parseJson(Schema.Struct({
  diagnostics: Schema.Array(Schema.Struct({ code: Schema.String, filename: Schema.String }))
}))

interface Source {
  readonly path: string
  readonly source: string
}

/** Lints the sources under the project's own rules, as if they stood at their paths; gives the rules that each broke. */
const lint = (sources: ReadonlyArray<Source>): ReadonlyArray<ReadonlyArray<string>> => {
  const folder = mkdtempSync(join(tmpdir(), "felhom-fence-"))
  try {
    copyFileSync(join(root, ".oxlintrc.json"), join(folder, ".oxlintrc.json"))
    for (const { path, source } of sources) {
      mkdirSync(dirname(join(folder, path)), { recursive: true })
      writeFileSync(join(folder, path), source)
    }
    const run = spawnSync(join(root, "node_modules/.bin/oxlint"), ["--format", "json", "packages"], {
      cwd: folder,
      encoding: "utf8"
    })
    const { diagnostics } = Schema.decodeUnknownSync(Output)(run.stdout)
    return sources.map(({ path }) => diagnostics.filter(({ filename }) => filename === path).map(({ code }) => code))
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

const use = (names: string): string => `export const used = [${names}]\n`

const httpSide: ReadonlyArray<string> = [
  `import { CommandExecutor } from "@effect/platform"\n${use("CommandExecutor")}`,
  `import { Command as Harmless } from "@effect/platform"\n${use("Harmless")}`,
  `import * as Command from "@effect/platform/Command"\n${use("Command")}`,
  `import * as CommandExecutor from "@effect/platform/CommandExecutor"\n${use("CommandExecutor")}`,
  `import * as Everything from "@effect/platform"\n${use("Everything.CommandExecutor")}`,
  `export { CommandExecutor } from "@effect/platform"\n`,
  `import { FetchHttpClient } from "@effect/platform"\n${use("FetchHttpClient")}`,
  `import { execFile } from "node:child_process"\n${use("execFile")}`,
  `import { NodeContext } from "@effect/platform-node"\n${use("NodeContext")}`,
  `import { Privileged } from "@felhom/privileged/Privileged"\n${use("Privileged")}`,
  use(`fetch("https://example.org")`),
  use(`globalThis.fetch("https://example.org")`),
  use(`new WebSocket("wss://example.org")`),
  use(`new EventSource("https://example.org")`)
]

const rootSide: ReadonlyArray<string> = [
  `import { HttpClient } from "@effect/platform"\n${use("HttpClient")}`,
  `import { HttpClientRequest } from "@effect/platform"\n${use("HttpClientRequest")}`,
  `import * as HttpClient from "@effect/platform/HttpClient"\n${use("HttpClient")}`,
  `import * as Everything from "@effect/platform"\n${use("Everything.HttpClient")}`,
  `import { FetchHttpClient } from "@effect/platform"\n${use("FetchHttpClient")}`,
  `import { Socket } from "@effect/platform"\n${use("Socket")}`,
  `import { request } from "node:https"\n${use("request")}`,
  `import { ProxmoxClient } from "@felhom/proxmox/ProxmoxClient"\n${use("ProxmoxClient")}`,
  `import { HubClient } from "@felhom/hub-client/HubClient"\n${use("HubClient")}`,
  use(`fetch("https://example.org")`),
  use(`new XMLHttpRequest()`)
]

const isFence = (rule: string): boolean => /no-restricted-(imports|globals)/.test(rule)

const violations: ReadonlyArray<Source & { readonly why: string }> = [
  ...["proxmox", "hub-client"].flatMap((folder) =>
    httpSide.map((source, index) => ({
      why: `${folder}, which speaks HTTP`,
      path: `packages/${folder}/src/Violation${index}.ts`,
      source
    }))
  ),
  ...rootSide.map((source, index) => ({
    why: "privileged, which runs commands",
    path: `packages/privileged/src/Violation${index}.ts`,
    source
  })),
  ...["domain", "mandate", "durable", "reconciler"].flatMap((folder) =>
    ["HttpClient", "CommandExecutor"].map((name) => ({
      why: `${folder}, which does no I/O`,
      path: `packages/${folder}/src/Violation${name}.ts`,
      source: `import { ${name} } from "@effect/platform"\n${use(name)}`
    }))
  )
]

describe("the fence, third lock: lint", () => {
  const found = lint(violations)
  for (const [index, { source, why }] of violations.entries()) {
    it(`refuses in ${why}: ${source.split("\n")[0]} (${index})`, () => {
      expect(found[index]?.filter(isFence)).not.toEqual([])
    })
  }

  it("lets each side have its own, so that the refusals above mean something", () => {
    const http = `import { HttpClient } from "@effect/platform"\n${use("HttpClient")}`
    const command = `import { Command, CommandExecutor } from "@effect/platform"\n${use("Command, CommandExecutor")}`
    expect(lint([
      { path: "packages/proxmox/src/Fine.ts", source: http },
      { path: "packages/privileged/src/Fine.ts", source: command }
    ])).toEqual([[], []])
  })
})
