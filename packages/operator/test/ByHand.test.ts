import { it } from "@effect/vitest"
import { decodeSignedOp } from "@felhom/domain/SignedOp"
import { Effect, Either, Encoding, Redacted } from "effect"
import { spawn, spawnSync } from "node:child_process"
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { expect } from "vitest"
import { identified, opReport, opWorld, trust, volid } from "./OpWorld.ts"
import { listLine, trustOf } from "./SignersWorld.ts"
import { folder } from "./TrustWorld.ts"

const absent = ["ssh-keygen", "curl", "jq", "openssl"].filter((program) =>
  spawnSync(program, ["--version"]).error !== undefined
)
const because = absent.length === 0 ? "" : ` (skipped: this machine has no ${absent.join(", ")})`
const test = absent.length === 0 ? it.scopedLive : it.scopedLive.skip

/** The commands of the runbook, as they stand there. */
const commands = Array.from(
  readFileSync(new URL("../../../docs/RUNBOOK-operations.md", import.meta.url), "utf8").matchAll(
    /^```sh\n(.*?)^```$/gms
  ),
  ([, script]) => script
).join("\n")

const shell = (directory: string, environment: { readonly [name: string]: string }) =>
  Effect.async<{ readonly code: number | null; readonly said: string }>((resume) => {
    const child = spawn("bash", ["-euo", "pipefail", "-c", commands], {
      cwd: directory,
      env: { PATH: process.env["PATH"] ?? "", ...environment },
      stdio: ["ignore", "pipe", "pipe"]
    })
    let said = ""
    child.stdout.on("data", (chunk) => (said += String(chunk)))
    child.stderr.on("data", (chunk) => (said += String(chunk)))
    child.on("close", (code) => resume(Effect.succeed({ code, said })))
  })

test(`the runbook's own commands sign an op with OpenSSH alone, and the host is given it${because}`, () =>
  Effect.gen(function*() {
    const { host, hub, key, operator } = yield* opWorld()
    // The inventory came with an earlier report, as it does most of the time.
    yield* host.send(opReport([], { sequence: 2, inventory: null }))
    const directory = yield* folder
    const list = listLine("anna", key)
    writeFileSync(join(directory, "allowed_signers"), list)
    const { code, said } = yield* shell(directory, {
      HUB: hub.url.origin,
      PIN: Buffer.from(hub.spkiSha256, "hex").toString("base64"),
      TOKEN: Redacted.value(yield* hub.token("operator", "by hand")),
      HOST: host.id,
      KEY: key,
      VMID: "101",
      SNAPSHOT: "before",
      LIST: join(directory, "allowed_signers")
    })
    expect({ code, said }).toMatchObject({ code: 0 })
    expect(said.match(/Good "report\.v1@felhom\.eu" signature with ED25519 key SHA256:/g)).toHaveLength(2)
    expect(said).toContain("\"state\": \"awaiting\"")
    expect(said).toContain("\"state\": \"served\"")
    const { ops } = yield* host.send(opReport([identified(101, { name: "blog" })], { sequence: 3 }))
    expect(ops).toEqual([JSON.parse(readFileSync(join(directory, "signed.json"), "utf8"))])
    const bytes = Either.getOrThrow(Encoding.decodeBase64(ops[0]?.payload ?? ""))
    const made = Either.getOrThrow(decodeSignedOp(bytes))
    expect(made).toMatchObject({
      op: "snapshot.delete",
      hostEpoch: trust.opEpoch,
      expect: { volumes: [{ volid, size: null }] }
    })
    // It is what felhom itself would have had signed.
    const path = join(directory, "felhom.json")
    const asked = "op snapshot.delete --host attic --guest 101 --snapshot before --reason r --yes-i-mean blog"
    yield* operator.felhom([...asked.split(" "), "--key", key, "--out", path])
    const own = Either.getOrThrow(Encoding.decodeBase64(JSON.parse(readFileSync(path, "utf8")).payload))
    const { expect: expected, params, target } = Either.getOrThrow(decodeSignedOp(own))
    expect(made).toMatchObject({ expect: expected, params, target })
    // And what a colleague's felhom signs, too.
    const second = yield* operator.felhom([
      "sign",
      join(directory, "signed.json"),
      "--key",
      key,
      "--yes-i-mean",
      "blog"
    ])
    expect(second).toMatchObject({ code: 0, out: expect.stringContaining("signed already with SHA256:") })
    // The list of signers that was made by hand reaches a host that has it, and holds for whoever verifies it.
    const has = trustOf(list)
    const { signers } = yield* host.send(
      opReport([], { sequence: 4, trust: has, inventoryHash: "4".repeat(64) })
    )
    expect(signers).toEqual([JSON.parse(readFileSync(join(directory, "signed-list.json"), "utf8"))])
    expect(yield* operator.felhom(["signers", "trust", "--host", "attic"])).toMatchObject({
      code: 0,
      out: expect.stringContaining("verified to version 1")
    })
  }))
