import { it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { type ChildProcess, spawn, spawnSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { expect } from "vitest"
import recordedWorld from "../../../pve-sim/fixtures/scenario/world.json" with { type: "json" }

const dist = join(import.meta.dirname, "../../../../dist")
const template = "local:vztmpl/debian-13-felhom_1.0-1_amd64.tar.zst"
const secret = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"

const keygen = "ssh-keygen"
const sshKeygen = (...args: ReadonlyArray<string>) => spawnSync(keygen, args)
const isThere = sshKeygen("-Q", "key").error === undefined
const test = isThere ? it.scopedLive : it.scopedLive.skip
const because = isThere ? "" : " (skipped: this machine has no ssh-keygen)"

const folder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "felhom-golden-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
)

/** A program that is ended with the test, and waited for. */
const running = (bundle: string, args: ReadonlyArray<string>, env: { readonly [name: string]: string }) =>
  Effect.acquireRelease(
    Effect.sync(() => spawn(process.execPath, [join(dist, bundle), ...args], { env })),
    (child) =>
      Effect.async<void>((resume) => {
        child.on("close", () => resume(Effect.void))
        if (child.exitCode !== null || !child.kill()) resume(Effect.void)
      })
  )

const Ready = Schema.parseJson(
  Schema.Struct({
    url: Schema.String,
    certificates: Schema.Struct({ original: Schema.Struct({ leaf: Schema.String }) })
  })
)

const firstLine = (child: ChildProcess) =>
  Effect.async<string>((resume) => {
    let text = ""
    child.stdout?.on("data", (chunk) => {
      text += String(chunk)
      const end = text.indexOf("\n")
      if (end >= 0) resume(Effect.succeed(text.slice(0, end)))
    })
  })

/** The recorded host, with a template whose containers power themselves off after their first boot. */
const world = {
  ...recordedWorld,
  storage_content: {
    ...recordedWorld.storage_content,
    local: [
      ...recordedWorld.storage_content.local,
      {
        volid: template,
        content: "vztmpl",
        format: "tzst",
        size: 90_000_000,
        ctime: 1_795_305_151,
        first_boot_seconds: 20
      }
    ]
  }
}

/** The simulated host with its root side, an agent's daemon on it, and what root and an operator type. */
const onHost = Effect.gen(function*() {
  const home = yield* folder
  const at = (name: string, content?: string): string => {
    if (content !== undefined) writeFileSync(join(home, name), content)
    return join(home, name)
  }
  const path = process.env["PATH"] ?? ""
  const simulator = yield* running("pve-sim.js", [
    "serve",
    "--listen",
    "127.0.0.1:0",
    "--speed",
    "20",
    "--root-sockets",
    at("run-root"),
    "--world",
    at("world.json", JSON.stringify(world)),
    "--tokens",
    at("tokens.json", JSON.stringify({ "felhom-agent@pve!agent": secret }))
  ], { PATH: path })
  const { certificates, url } = yield* Schema.decode(Ready)(yield* firstLine(simulator))
  sshKeygen("-q", "-t", "ed25519", "-N", "", "-f", at("key"))
  at("allowed_signers", `anna namespaces="golden.v1@felhom.eu" ${readFileSync(at("key.pub"), "utf8")}`)
  const policy = (golden: object) => at("policy.json", JSON.stringify({ typ: "felhom/policy/v1", desired: { golden } }))
  const env = {
    PATH: path,
    HOME: home,
    FELHOM_AGENT_PROXMOX_URL: url,
    FELHOM_AGENT_PROXMOX_NODE: recordedWorld.node,
    FELHOM_AGENT_PROXMOX_FINGERPRINT: certificates.original.leaf,
    FELHOM_AGENT_PROXMOX_TOKEN_ID: "felhom-agent@pve!agent",
    FELHOM_AGENT_PROXMOX_TOKEN: secret,
    // Nobody answers there: what is done for golden images needs no hub.
    FELHOM_AGENT_HUB_URL: "https://127.0.0.1:9",
    FELHOM_AGENT_HUB_FINGERPRINT: Array.from({ length: 32 }, () => "AA").join(":"),
    FELHOM_AGENT_HUB_TOKEN: "x".repeat(40),
    FELHOM_AGENT_SIGNERS_FILE: at("allowed_signers"),
    FELHOM_AGENT_POLICY_FILE: policy({ images: ["debian-13"] }),
    FELHOM_AGENT_STATE_DIR: at("agent"),
    FELHOM_AGENT_RUNTIME_DIR: at("run")
  }
  yield* running("main.js", ["daemon"], env)
  const typed = (bundle: string) => (...args: ReadonlyArray<string>) =>
    Effect.async<string>((resume) => {
      let said = ""
      const child = spawn(process.execPath, [join(dist, bundle), ...args], { env, stdio: ["ignore", "pipe", "pipe"] })
      for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => void (said += String(chunk)))
      child.on("close", (code) => resume(Effect.succeed(`${code} ${said}`)))
    })
  const agent = typed("main.js")
  /** As a person looks again, until it says so. */
  const until = (shown: RegExp) =>
    Effect.repeat(agent("golden", "list"), { until: (said) => shown.test(said), times: 200 })
  return { agent, at, felhom: typed("felhom.js"), policy, until }
})

test(
  `a golden image is built, signed and accepted with the commands that root and an operator type${because}`,
  () =>
    Effect.gen(function*() {
      const { agent, at, felhom, policy, until } = yield* onHost
      expect(yield* until(/^0 /)).toBe("0 no golden image is known on this host\n")
      const places = ["--storage", "ctstore", "--backup-storage", "local", "--root-gib", "2"]
      expect(yield* agent("golden", "build", "debian-13", "--template", template.replace("amd64", "arm64"), ...places))
        .toMatch(
          /^1 .*is for arm64, and this host is amd64; take the amd64 one/
        )
      expect(yield* agent("golden", "build", "debian-13", "--template", template, ...places)).toMatch(
        /^0 the build of debian-13 version 1 is begun, as CT 100/
      )
      expect(yield* until(/to be signed|failed|held up/)).toMatch(
        /^0 debian-13 +1 +to be signed +local:backup\/vzdump-lxc-100-\S+\.tar\.zst\n/
      )
      const draft = at("debian-13.json")
      expect(yield* agent("golden", "draft", "debian-13", "--out", draft)).toMatch(/^0 the manifest is in/)
      expect(yield* agent("golden", "accept", draft)).toMatch(/^1 .*it is no signed manifest/)
      const signed = yield* felhom("golden", "sign", draft, "--key", at("key"), "--yes-i-mean", "debian-13 1")
      expect(signed).toMatch(/^0 NEW GUESTS of every host that accepts this are made from debian-13 version 1\./)
      expect(yield* agent("golden", "accept", `${draft}.signed`)).toMatch(
        /^0 accepted debian-13 version 1, signed by anna: local:backup\//
      )
      // The simulator keeps no file that could be read.
      expect(yield* agent("golden", "verify", "debian-13")).toMatch(
        /^1 .*or allow it in the policy's desired\.golden\.unread/
      )
      policy({ images: ["debian-13"], unread: true })
      expect(yield* agent("golden", "verify", "debian-13")).toMatch(
        /^0 debian-13 version 1: .*were not compared with what was signed/
      )
      expect(yield* agent("golden", "list", "--output", "json")).toContain("\"state\":\"accepted\"")
      expect(yield* agent("golden", "verify", "Debian 13")).toMatch(/^[12] .*1 to 32 lower-case letters/s)
    }),
  120_000
)
