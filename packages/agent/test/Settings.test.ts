import { FileSystem } from "@effect/platform"
import { NodeContext } from "@effect/platform-node"
import { describe, it } from "@effect/vitest"
import * as Settings from "@felhom/agent/Settings"
import { Effect, Layer, Option, Redacted } from "effect"
import { expect } from "vitest"

const leaf = "AE:B4:AC:07:24:9D:AB:25:9B:BA:9E:45:C1:9E:43:EB:E0:34:D4:9D:B1:0A:D2:9B:D8:C7:6A:C6:55:2D:70:A9"
const secret = "11111111-2222-3333-4444-555555555555"

const complete = {
  FELHOM_AGENT_PROXMOX_URL: "https://192.0.2.10:8006",
  FELHOM_AGENT_PROXMOX_NODE: "demo",
  FELHOM_AGENT_PROXMOX_FINGERPRINT: leaf,
  FELHOM_AGENT_PROXMOX_TOKEN_ID: "felhom-agent@pve!agent",
  FELHOM_AGENT_PROXMOX_TOKEN: secret
}

type Environment = { readonly [name: string]: string }

const proxmox = (environment: Environment, file?: unknown) =>
  Effect.gen(function*() {
    const fs = yield* FileSystem.FileSystem
    const path = `${yield* fs.makeTempDirectoryScoped()}/config.json`
    if (file !== undefined) yield* fs.writeFileString(path, typeof file === "string" ? file : JSON.stringify(file))
    return yield* Settings.proxmoxSettings.pipe(
      Effect.provide(
        Settings.layerSource({ file: file === undefined ? Option.none() : Option.some(path), environment })
      )
    )
  }).pipe(Effect.provide(NodeContext.layer))

const problems = (environment: Environment, file?: unknown) =>
  Effect.map(Effect.flip(proxmox(environment, file)), (error) => error.message)

const without = (name: keyof typeof complete): Environment =>
  Object.fromEntries(Object.entries(complete).filter(([key]) => key !== name))

describe("Settings", () => {
  it.scoped("are complete with the environment alone", () =>
    Effect.gen(function*() {
      const settings = yield* proxmox(complete)
      expect(settings.url.origin).toBe("https://192.0.2.10:8006")
      expect(Redacted.value(settings.secret)).toBe(secret)
      expect(JSON.stringify(settings)).not.toContain(secret)
    }))

  it.scoped("take the file, and let the environment win over it", () =>
    Effect.gen(function*() {
      const file = {
        proxmox: {
          url: "https://198.51.100.1:8006",
          node: "other",
          fingerprint: [leaf, `spki:${leaf}`],
          tokenId: "a@pve!bb"
        }
      }
      const settings = yield* proxmox({
        FELHOM_AGENT_PROXMOX_NODE: "demo",
        FELHOM_AGENT_PROXMOX_TOKEN: secret
      }, file)
      expect(settings.url.origin).toBe("https://198.51.100.1:8006")
      expect(settings.node).toBe("demo")
      expect(settings.pins.map((pin) => pin.kind)).toEqual(["leaf", "spki"])
    }))

  it.scoped("name everything that is missing at once, and where to give it", () =>
    Effect.gen(function*() {
      const message = yield* problems({})
      expect(message.split("\n")).toHaveLength(5)
      expect(message).toContain("FELHOM_AGENT_PROXMOX_FINGERPRINT or proxmox.fingerprint in the config file")
      expect(message).toContain("proxmox-token")
    }))

  it.scoped("refuse an unknown key with the name that was meant", () =>
    Effect.gen(function*() {
      const message = yield* problems(complete, { proxmox: { fingerpint: leaf }, stateDirr: "/x", zzz: 1 })
      expect(message).toContain("unknown key proxmox.fingerpint; did you mean proxmox.fingerprint?")
      expect(message).toContain("unknown key stateDirr; did you mean stateDir?")
      expect(message).toMatch(/unknown key zzz$/m)
    }))

  it.scoped("refuse a secret in the file, say where it belongs, and never print it", () =>
    Effect.gen(function*() {
      for (const file of [{ proxmox: { token: secret } }, { hub: { apiSecret: secret } }, { password: secret }]) {
        const message = yield* problems(complete, file)
        expect(message).toContain("is a secret and must not stand in the config file")
        expect(message).toMatch(/FELHOM_AGENT_(PROXMOX|HUB)_TOKEN/)
        expect(message).not.toContain(secret)
      }
    }))

  it.scoped("never print a token id that carries its secret", () =>
    Effect.gen(function*() {
      const message = yield* problems({
        ...complete,
        FELHOM_AGENT_PROXMOX_TOKEN_ID: `felhom-agent@pve!agent=${secret}`
      })
      expect(message).toContain("without = and the secret")
      expect(message).not.toContain(secret)
    }))

  it.scoped("have no insecure default: no http, no empty or half a fingerprint", () =>
    Effect.gen(function*() {
      expect(yield* problems({ ...complete, FELHOM_AGENT_PROXMOX_URL: "http://192.0.2.10:8006" }))
        .toContain("must begin with https://")
      for (const fingerprint of ["", " , ", "AE:B4", leaf.slice(0, -1), "none"]) {
        expect(yield* problems({ ...complete, FELHOM_AGENT_PROXMOX_FINGERPRINT: fingerprint }))
          .toMatch(/FELHOM_AGENT_PROXMOX_FINGERPRINT (is empty|.*is not a fingerprint)/)
      }
      expect(yield* problems(without("FELHOM_AGENT_PROXMOX_FINGERPRINT"))).toContain("PROXMOX_FINGERPRINT is not set")
    }))

  it.scoped("read a secret from a file that only its owner may read", () =>
    Effect.gen(function*() {
      const fs = yield* FileSystem.FileSystem
      const path = `${yield* fs.makeTempDirectoryScoped()}/token`
      yield* fs.writeFileString(path, `${secret}\n`)
      const environment = { ...without("FELHOM_AGENT_PROXMOX_TOKEN"), FELHOM_AGENT_PROXMOX_TOKEN_FILE: path }
      yield* fs.chmod(path, 0o644)
      expect(yield* problems(environment)).toContain(`chmod 600 ${path}`)
      yield* fs.chmod(path, 0o600)
      expect(Redacted.value((yield* proxmox(environment)).secret)).toBe(secret)
    }).pipe(Effect.provide(NodeContext.layer)))

  it.scoped("read a secret from systemd's credentials", () =>
    Effect.gen(function*() {
      const fs = yield* FileSystem.FileSystem
      const directory = yield* fs.makeTempDirectoryScoped()
      yield* fs.writeFileString(`${directory}/proxmox-token`, secret, { mode: 0o400 })
      const settings = yield* proxmox({
        ...without("FELHOM_AGENT_PROXMOX_TOKEN"),
        CREDENTIALS_DIRECTORY: directory
      })
      expect(Redacted.value(settings.secret)).toBe(secret)
    }).pipe(Effect.provide(NodeContext.layer)))

  it.scoped("take a credential as systemd leaves it, root's and readable by an access list, and nothing wider", () =>
    Effect.gen(function*() {
      const fs = yield* FileSystem.FileSystem
      const directory = yield* fs.makeTempDirectoryScoped()
      const path = `${directory}/proxmox-token`
      yield* fs.writeFileString(path, secret, { mode: 0o400 })
      const read = (mode: number, gid: number, where: Environment) =>
        Settings.proxmoxSettings.pipe(
          Effect.provide(Settings.layerSource({
            file: Option.none(),
            environment: { ...without("FELHOM_AGENT_PROXMOX_TOKEN"), ...where }
          })),
          Effect.provideService(FileSystem.FileSystem, {
            ...fs,
            stat: (file) => Effect.map(fs.stat(file), (info) => ({ ...info, mode, gid: Option.some(gid) }))
          }),
          Effect.either
        )
      const credential = { CREDENTIALS_DIRECTORY: directory }
      expect((yield* read(0o100440, 0, credential))._tag).toBe("Right")
      for (const [mode, gid] of [[0o100440, 996], [0o100444, 0], [0o100460, 0], [0o100450, 0]] as const) {
        expect((yield* read(mode, gid, credential))._tag, `${mode.toString(8)} ${gid}`).toBe("Left")
      }
      // A file that somebody named is nobody's access list.
      expect((yield* read(0o100440, 0, { FELHOM_AGENT_PROXMOX_TOKEN_FILE: path }))._tag).toBe("Left")
    }).pipe(Effect.provide(NodeContext.layer)))

  it.scoped("take whom the agent may speak to from the file, as a text or a list", () =>
    Effect.gen(function*() {
      const fs = yield* FileSystem.FileSystem
      const path = `${yield* fs.makeTempDirectoryScoped()}/config.json`
      const allowed = (allow: unknown) =>
        Effect.zipRight(
          fs.writeFileString(path, JSON.stringify({ network: { allow } })),
          Effect.provide(Settings.networkAllow, Settings.layerSource({ file: Option.some(path), environment: {} }))
        )
      for (const allow of ["192.0.2.1 10.0.0.0/8", ["192.0.2.1", "10.0.0.0/8"]]) {
        expect((yield* allowed(allow)).map(({ text }) => text)).toEqual(["192.0.2.1", "10.0.0.0/8"])
      }
      expect((yield* Effect.flip(allowed(["hub.example"]))).message).toContain("no address or network")
      expect((yield* Effect.flip(allowed(7))).message).toContain("network.allow must be a text or a list of texts")
    }).pipe(Effect.provide(NodeContext.layer)))

  it.scoped("take the hub's token from where an enrolment left it, when none is given elsewhere", () =>
    Effect.gen(function*() {
      const fs = yield* FileSystem.FileSystem
      const directory = yield* fs.makeTempDirectoryScoped()
      const hub = (more: Environment = {}) =>
        Settings.hubSettings.pipe(
          Effect.provide(Settings.layerSource({
            file: Option.none(),
            environment: {
              FELHOM_AGENT_HUB_URL: "https://192.0.2.20:8443",
              FELHOM_AGENT_HUB_FINGERPRINT: leaf,
              FELHOM_AGENT_STATE_DIR: directory,
              ...more
            }
          }))
        )
      expect((yield* Effect.flip(hub())).message).toContain("or enrol this host (felhom-agent enrol)")
      yield* fs.writeFileString(Settings.bearerFile(directory), "felhom_host_enrolled\n", { mode: 0o600 })
      expect(Redacted.value((yield* hub()).token)).toBe("felhom_host_enrolled")
      expect(Redacted.value((yield* hub({ FELHOM_AGENT_HUB_TOKEN: "felhom_host_given" })).token)).toBe(
        "felhom_host_given"
      )
      yield* fs.chmod(Settings.bearerFile(directory), 0o640)
      expect((yield* Effect.flip(hub())).message).toContain("chmod 600")
    }).pipe(Effect.provide(NodeContext.layer)))

  it.scoped("refuse a file that is named and absent, and one that is no JSON, without quoting it", () =>
    Effect.gen(function*() {
      const absent = Settings.layerSource({ file: Option.some("/nonexistent/config.json"), environment: {} })
      const error = yield* Effect.flip(Layer.build(absent)).pipe(Effect.provide(NodeContext.layer))
      expect(error.message).toBe("/nonexistent/config.json: there is no such config file")
      const message = yield* problems(complete, `{"proxmox": {"token": "${secret}"`)
      expect(message).toContain("is not valid JSON")
      expect(message).not.toContain(secret)
    }))

  it("say which variables look like ours and are not", () => {
    expect(Settings.strayVariables({ FELHOM_AGENT_PROXMOX_FINGERPINT: leaf, FELHOM_AGENT_HUB_URL: "", PATH: "" }))
      .toEqual([
        "FELHOM_AGENT_PROXMOX_FINGERPINT is no setting of the agent and is ignored; did you mean FELHOM_AGENT_PROXMOX_FINGERPRINT?"
      ])
  })
})
