import { describe, it } from "@effect/vitest"
import { doctor } from "@felhom/agent/doctor/Doctor"
import * as ServedCertificate from "@felhom/agent/doctor/ServedCertificate"
import { type FolderCondition, StateFolder } from "@felhom/agent/doctor/StateFolder"
import type { PeerPins } from "@felhom/domain/PeerPin"
import { Sha256Hex } from "@felhom/domain/Sha256"
import * as TlsIdentity from "@felhom/node/TlsIdentity"
import { PveSim } from "@felhom/pve-sim/PveSim"
import { agentPrivileges } from "@felhom/reconciler/Rights"
import { Effect, Layer } from "effect"
import { expect } from "vitest"
import { host, type HostOptions, type Instead, stepsOf } from "../selftest/SimulatedHost.ts"

const url = new URL("https://demo.example:8006")
const stateDirectory = "/var/lib/felhom-agent"
const gibibyte = 1024 ** 3

const goodFolder: FolderCondition = {
  looked: stateDirectory,
  exists: true,
  writable: true,
  freeBytes: 5 * gibibyte,
  fileSystem: "/dev/mapper/pve-root (ext4), mounted at /"
}

const identity = (options: { readonly days: number; readonly privateKeyPem?: string }) =>
  TlsIdentity.make({ commonName: "demo-felhom", altNames: ["demo-felhom"], ...options })

const shown = (served: TlsIdentity.TlsIdentity): ServedCertificate.Certificate => ({
  leaf: served.leafSha256,
  spki: served.spkiSha256,
  notAfter: served.notAfter
})

interface Scene extends HostOptions {
  readonly served?: TlsIdentity.TlsIdentity
  /** The certificate file of the node, where it is another than what is served. */
  readonly file?: { readonly name: string; readonly certificate: TlsIdentity.TlsIdentity }
  readonly pins?: (served: TlsIdentity.TlsIdentity) => PeerPins
  readonly folder?: FolderCondition
  readonly jobs?: ReadonlyArray<unknown>
}

const keyPin = (served: TlsIdentity.TlsIdentity): PeerPins => [{ kind: "spki", sha256: served.spkiSha256 }]
const leafPin = (served: TlsIdentity.TlsIdentity): PeerPins => [{ kind: "leaf", sha256: served.leafSha256 }]

/** What the doctor says of a host where all is well but for what the scene changes. */
const examine = (scene: Scene = {}) =>
  Effect.gen(function*() {
    const served = scene.served ?? (yield* identity({ days: 365 }))
    const file = scene.file ?? { name: "pve-ssl.pem", certificate: served }
    const instead: Instead = (path) =>
      scene.instead?.(path) ??
        (path.endsWith("/cluster/backup")
          ? scene.jobs ?? []
          : path.endsWith("/certificates/info")
          ? [{ filename: "pve-root-ca.pem" }, { filename: file.name, pem: file.certificate.certificatePem }]
          : undefined)
    return yield* stepsOf(doctor({ url, stateDirectory, pins: (scene.pins ?? keyPin)(served) })).pipe(
      Effect.provide([
        host({ ...scene, instead }),
        Layer.succeed(ServedCertificate.ServedCertificate, { look: () => Effect.succeed(shown(served)) }),
        Layer.succeed(StateFolder, { look: () => Effect.succeed(scene.folder ?? goodFolder) })
      ])
    )
  })

const startingWith = (steps: ReadonlyArray<string>, start: string): string =>
  steps.find((step) => step.startsWith(start)) ?? `nothing starts with ${start} in:\n${steps.join("\n")}`

const failures = (steps: ReadonlyArray<string>): ReadonlyArray<string> =>
  steps.filter((step) => step.startsWith("failed"))

describe("doctor", () => {
  it.effect("finds nothing to mend on the recorded host, and says what is worth knowing", () =>
    Effect.gen(function*() {
      expect(yield* examine()).toEqual([
        "passed state folder: /var/lib/felhom-agent, on /dev/mapper/pve-root (ext4), mounted at /: 5.0 GiB free",
        "passed pins: pin 1 of 1 (public key) names what demo.example:8006 serves",
        "passed version: Proxmox VE 9.2.11",
        "passed certificate: it ends 1971-01-01, in 365 days",
        "passed next certificate: none is waiting: pve-ssl.pem is what is served",
        "passed node: demo-felhom, a single host",
        "passed clock: the node's is within 1 s of this one",
        "passed permissions: the token felhom-agent@pve!agent holds all that the agent needs",
        "passed storages: 2 enabled, all of them active",
        "note snapshots: none of a container that has a volume on local (dir): no storage of that type has them for " +
        "containers",
        "note backup mode: backed up in suspend mode, which stops them for a while and takes room for a whole copy (in " +
        "/var/tmp for a backup server):\nlxc/101 (on-dir): rootfs on local",
        "passed backup jobs: Proxmox has none of its own for this node"
      ])
    }))

  it.effect("asks nothing but questions", () => {
    const asked = Effect.flatMap(PveSim, ({ requests }) => requests)
    return Effect.gen(function*() {
      const served = yield* identity({ days: 365 })
      const methods = yield* stepsOf(doctor({ url, stateDirectory, pins: keyPin(served) })).pipe(
        Effect.zipRight(asked),
        Effect.provide([
          host(),
          Layer.succeed(ServedCertificate.ServedCertificate, { look: () => Effect.succeed(shown(served)) }),
          Layer.succeed(StateFolder, { look: () => Effect.succeed(goodFolder) })
        ])
      )
      expect(new Set(methods.map(({ method }) => method))).toEqual(new Set(["GET"]))
    })
  })
})

describe("doctor, on certificates", () => {
  it.effect("names the pin to add when none names what is served, and asks the stranger nothing", () =>
    Effect.gen(function*() {
      const steps = yield* examine({ pins: () => [{ kind: "leaf", sha256: Sha256Hex.make("0".repeat(64)) }] })
      expect(steps).toHaveLength(2)
      expect(failures(steps)[0]).toContain("shows a certificate that no pin names")
      expect(failures(steps)[0]).toContain("FELHOM_AGENT_PROXMOX_FINGERPRINT, once it was compared: spki:")
    }))

  it.effect("warns 30 days before a pinned certificate ends, with the pin that outlives it", () =>
    Effect.gen(function*() {
      const ending = startingWith(
        yield* examine({ served: yield* identity({ days: 29 }), pins: leafPin }),
        "failed certificate"
      )
      expect(ending).toContain("it ends 1970-01-30, in 29 days, and no pin will name its successor")
      expect(ending).toContain("renews it with the same key: add the pin spki:")
      const later = yield* examine({ served: yield* identity({ days: 31 }), pins: leafPin })
      expect(failures(later)).toEqual([])
      const byKey = yield* examine({ served: yield* identity({ days: 29 }), pins: keyPin })
      expect(startingWith(byKey, "note certificate")).toContain("with the same key, which a pin names")
    }))

  it.effect("does not count on the key of a certificate that Proxmox did not make", () =>
    Effect.gen(function*() {
      const served = yield* identity({ days: 29 })
      const steps = yield* examine({ served, file: { name: "pveproxy-ssl.pem", certificate: served } })
      expect(startingWith(steps, "failed certificate")).toContain("its successor has a new key")
    }))

  it.effect("tells a certificate's end even where Proxmox does not tell of its files", () =>
    Effect.gen(function*() {
      const steps = yield* examine({ instead: (path) => path.endsWith("/certificates/info") ? "nothing" : undefined })
      expect(failures(steps)).toEqual([])
      expect(startingWith(steps, "passed certificate")).toContain("in 365 days")
      expect(startingWith(steps, "note next certificate")).toContain("the next one is not known: GET")
    }))

  it.effect("knows the next certificate before it is served, and whether a pin names it", () =>
    Effect.gen(function*() {
      const served = yield* identity({ days: 365 })
      const renewed = yield* identity({ days: 700, privateKeyPem: served.privateKeyPem })
      const file = { name: "pve-ssl.pem", certificate: renewed }
      expect(startingWith(yield* examine({ served, file, pins: keyPin }), "passed next")).toContain("a pin names it")
      const unnamed = startingWith(yield* examine({ served, file, pins: leafPin }), "failed next")
      expect(unnamed).toContain("no pin names it\nadd to FELHOM_AGENT_PROXMOX_FINGERPRINT: spki:")
    }))
})

describe("doctor, on the host", () => {
  it.effect("tells missing rights by path, with the lines for user and token", () =>
    Effect.gen(function*() {
      const steps = yield* examine({ privileges: agentPrivileges.filter((one) => one !== "VM.Backup") })
      expect(failures(steps)).toHaveLength(1)
      expect(failures(steps)[0]?.split("\n")).toEqual([
        "failed permissions: missing on /vms: VM.Backup",
        "a token has what it and its user both have, and can't see which of them lacks it: run all of these as root",
        "  pveum role modify FelhomAgent --append --privs 'VM.Backup'",
        "  pveum acl modify / --users 'felhom-agent@pve' --roles FelhomAgent",
        "  pveum acl modify / --tokens 'felhom-agent@pve!agent' --roles FelhomAgent"
      ])
    }))

  it.effect("tells what is more than needed apart from what is missing", () =>
    Effect.gen(function*() {
      const steps = yield* examine({ privileges: [...agentPrivileges, "Sys.Modify"] })
      expect(failures(steps)).toEqual([])
      expect(startingWith(steps, "note permissions")).toContain("more than the agent needs: Sys.Modify")
      expect(startingWith(steps, "note permissions")).toContain("pveum role modify FelhomAgent --privs 'VM.Allocate,")
    }))

  it.effect("calls a clock wrong that is off by a day", () =>
    Effect.gen(function*() {
      const steps = yield* examine({
        instead: (path) => path.endsWith("/time") ? { time: 86_400, localtime: 90_000, timezone: "UTC" } : undefined
      })
      expect(failures(steps)).toEqual([
        "failed clock: the node's is 1 d ahead of this one: check both (timedatectl; chronyc tracking)"
      ])
    }))

  it.effect("says what is its own in a cluster of three nodes, and when that has no quorum", () =>
    Effect.gen(function*() {
      const nodes = ["demo-felhom", "second", "third"].map((node) => ({ node, status: "online", type: "node" }))
      const cluster = (quorate: number): Scene => ({
        instead: (path) =>
          path.endsWith("/json/nodes")
            ? nodes
            : path.endsWith("/cluster/status")
            ? [{ type: "cluster", name: "home", nodes: 3, quorate }, { type: "node", name: "demo-felhom", local: 1 }]
            : undefined
      })
      const steps = yield* examine(cluster(1))
      expect(failures(steps)).toEqual([])
      expect(startingWith(steps, "note cluster")).toContain("demo-felhom is one of 3 nodes")
      expect(startingWith(steps, "note cluster")).toContain("second, third take agents of their own")
      expect(failures(yield* examine(cluster(0)))[0]).toContain("no quorum")
    }))

  it.effect("names the nodes that there are when the configured one is not among them", () =>
    Effect.gen(function*() {
      const steps = yield* examine({ node: "nosuch" })
      expect(failures(steps)[0]).toContain("there is no node nosuch here, but demo-felhom")
    }))

  it.effect.each(["8.4.1", "9.0.11"])("calls Proxmox VE %s too old", (version) =>
    Effect.gen(function*() {
      const steps = yield* examine({
        instead: (path) => path.endsWith("/json/version") ? { version, release: version.slice(0, 3) } : undefined
      })
      expect(failures(steps)).toEqual([
        `failed version: Proxmox VE ${version} is too old: 9.1 or newer is needed; upgrade the host`
      ])
    }))

  it.effect("finds a storage that is away", () =>
    Effect.gen(function*() {
      const steps = yield* examine({
        tamper: (path, body) =>
          path.endsWith("/demo-felhom/storage")
            ? JSON.stringify({
              data: [{ storage: "usb", type: "dir", content: "backup", enabled: 1, active: 0 }]
            })
            : body
      })
      expect(failures(steps)[0]).toContain("enabled but not active: usb (dir)")
      expect(failures(steps)[0]).toContain("pvesm set STORAGE --disable 1")
    }))

  it.effect("finds a container whose data volume takes its backups to suspend mode, and not one that is left out", () =>
    Effect.gen(function*() {
      const mounts = (mp0: string): Scene => ({
        tamper: (path, body) =>
          path.endsWith("/lxc/9999/config")
            ? body.replace("\"cores\"", `"mp0":"${mp0}","cores"`)
            : body
      })
      const included = yield* examine(mounts("local:9999/vm-9999-disk-1.raw,mp=/data,backup=1"))
      expect(startingWith(included, "note backup mode")).toContain("lxc/9999 (tiny): mp0 on local")
      const left = yield* examine(mounts("local:9999/vm-9999-disk-1.raw,mp=/data"))
      expect(startingWith(left, "note backup mode")).not.toContain("lxc/9999")
    }))

  it.effect("counts Proxmox's own backup jobs as foreign backups, not as none", () =>
    Effect.gen(function*() {
      const steps = yield* examine({
        jobs: [
          { id: "backup-1", enabled: 1, schedule: "02:00", all: 1, storage: "local" },
          { id: "backup-2", enabled: 0, vmid: "101", storage: "local" },
          { id: "backup-3", enabled: 1, node: "second", all: 1, storage: "local" }
        ]
      })
      expect(failures(steps)).toEqual([])
      expect(startingWith(steps, "note backup jobs").split("\n").slice(1)).toEqual([
        "backup-1: 02:00, all guests to local",
        "backup-2: disabled, 101 to local"
      ])
    }))

  it.effect.each(
    [
      [{ writable: false }, "failed state folder", "can't be written by this user"],
      [{ freeBytes: 15 * 1024 ** 2 }, "failed state folder", "too little"],
      [{ freeBytes: 200 * 1024 ** 2 }, "note state folder", "which is little"],
      [{ exists: false, looked: "/var/lib" }, "note state folder", "the daemon makes it at its first start"]
    ] as const
  )("of a state folder with %j says %s", ([condition, start, words]) =>
    Effect.gen(function*() {
      const steps = yield* examine({ folder: { ...goodFolder, ...condition } })
      expect(startingWith(steps, start)).toContain(words)
    }))

  it.effect("loses only the answer that does not come", () =>
    Effect.gen(function*() {
      const steps = yield* examine({ instead: (path) => path.endsWith("/storage") ? "nothing of the kind" : undefined })
      expect(failures(steps).map((step) => step.slice(0, 20))).toEqual(["failed storages: GET", "failed backup mode: "])
      expect(startingWith(steps, "passed backup jobs")).toContain("none of its own")
    }))

  it.effect("takes nothing that a token without rights can't see for nothing that is there", () =>
    Effect.gen(function*() {
      const steps = yield* examine({ tokenId: "felhom-agent@pve!noacl" })
      expect(startingWith(steps, "failed permissions").split("\n")).toEqual([
        "failed permissions: the token felhom-agent@pve!noacl may do nothing here",
        "a token has what it and its user both have, and can't see which of them lacks it: run all of these as root",
        "  pveum acl modify / --users 'felhom-agent@pve' --roles FelhomAgent",
        "  pveum acl modify / --tokens 'felhom-agent@pve!noacl' --roles FelhomAgent"
      ])
      expect(startingWith(steps, "failed storages")).toContain("not one can be seen")
      expect(startingWith(steps, "note backup mode")).toContain("no container can be seen here")
    }))

  it.effect("ends at a refused token, which no other question would get past", () =>
    Effect.gen(function*() {
      const steps = yield* examine({ presented: "00000000-0000-0000-0000-000000000000" })
      expect(steps.at(-1)).toContain("failed version: ")
      expect(steps.at(-1)).toContain("refused the API token")
    }))
})
