import { describe, expect, it } from "@effect/vitest"
import { parseRanges } from "@felhom/agent/configure/AddressRange"
import { HostFileError, HostFiles, type Ownership } from "@felhom/agent/configure/HostFiles"
import { NameLookup, NameUnknown } from "@felhom/agent/configure/NameLookup"
import { fstabCheck, fstabLines, ourMounts } from "@felhom/agent/doctor/FstabCheck"
import { installChecks, installed } from "@felhom/agent/doctor/InstallChecks"
import { allowCheck, hubCheck } from "@felhom/agent/doctor/NetworkChecks"
import { rootSideChecks } from "@felhom/agent/doctor/RootSideChecks"
import { NoHandshake, ServedCertificate } from "@felhom/agent/doctor/ServedCertificate"
import { RootSocket, RootSocketError } from "@felhom/domain/port/RootSocket"
import { Sha256Hex } from "@felhom/domain/Sha256"
import { FilesystemUuid, MountName } from "@felhom/privileged/Mount"
import { unitText } from "@felhom/privileged/MountUnit"
import { Effect, Either, Layer, Option } from "effect"

interface Host {
  readonly files?: { readonly [path: string]: string }
  readonly owners?: { readonly [path: string]: Ownership }
}

/** A host's files by path; a folder is whatever a path goes through. */
const filesOf = ({ files = {}, owners = {} }: Host) =>
  Layer.succeed(HostFiles, {
    read: (path) =>
      files[path] === "unreadable"
        ? new HostFileError({ operation: "read", path, detail: "EACCES: permission denied" })
        : Effect.succeed(Option.fromNullable(files[path])),
    list: (folder) =>
      Effect.succeed(
        Object.keys({ ...files, ...owners }).flatMap((path) =>
          path.startsWith(`${folder}/`) ? [path.slice(folder.length + 1)] : []
        ).sort()
      ),
    ownership: (path) => Effect.succeed(Option.fromNullable(owners[path])),
    write: () => Effect.dieMessage("the doctor writes nothing")
  })

const names = (addresses: { readonly [name: string]: string }) =>
  Layer.succeed(NameLookup, {
    addresses: (name) =>
      addresses[name] === undefined
        ? new NameUnknown({ name, detail: "ENOTFOUND" })
        : Effect.succeed(Either.getOrThrow(parseRanges(addresses[name])))
  })

const said = (findings: ReadonlyArray<{ readonly outcome: string; readonly name: string; readonly detail: string }>) =>
  findings.map(({ detail, name, outcome }) => `${outcome} ${name}: ${detail}`)

const dropIn = "/etc/systemd/system/felhom-agent.service.d/network.conf"
const hub = new URL("https://hub.example:8443")

describe("doctor, on whom the agent may speak to", () => {
  const looked = (host: Host, now: { readonly [name: string]: string }) =>
    Effect.map(allowCheck([hub]), said).pipe(Effect.provide([filesOf(host), names(now)]))

  it.effect("is content while the hub's name leads where the list allows", () =>
    Effect.gen(function*() {
      const files = { [dropIn]: "[Service]\nIPAddressAllow=192.0.2.0/24 2001:db8::1\n" }
      expect(yield* looked({ files }, { "hub.example": "192.0.2.10 2001:db8::1" })).toEqual([
        "passed allow list: hub.example: all that they need is allowed"
      ])
    }))

  it.effect("names the address that the hub's name has now and the list has not, and what to do", () =>
    Effect.gen(function*() {
      const files = { [dropIn]: "[Service]\nIPAddressAllow=192.0.2.10\n" }
      const [finding, ...others] = yield* looked({ files }, { "hub.example": "192.0.2.10 198.51.100.7" })
      expect(others).toEqual([])
      expect(finding).toContain(`failed allow list: hub.example is now at 198.51.100.7, which ${dropIn} does not allow`)
      expect(finding).toContain("felhom-agent configure")
      expect(finding).toContain("network.allow")
    }))

  it.effect("tells of a list that is not there, can't be read, or has a word that systemd passes over", () =>
    Effect.gen(function*() {
      const now = { "hub.example": "192.0.2.10" }
      expect(yield* looked({}, now)).toEqual([expect.stringContaining(`failed allow list: there is no ${dropIn}`)])
      expect(yield* looked({ files: { [dropIn]: "unreadable" } }, now)).toEqual([
        expect.stringContaining("this takes root")
      ])
      expect(yield* looked({ files: { [dropIn]: "IPAddressAllow=hub.example" } }, now)).toEqual([
        expect.stringContaining("\"hub.example\" is no address or network")
      ])
    }))

  it.effect("tells of a name without an address, and of a resolver that is closed to the agent", () =>
    Effect.gen(function*() {
      const files = { [dropIn]: "[Service]\n", "/etc/resolv.conf": "nameserver 192.0.2.53\n" }
      expect(yield* looked({ files }, {})).toEqual([
        expect.stringContaining("failed allow list: hub.example has no address"),
        expect.stringContaining("failed allow list: the resolver 192.0.2.53")
      ])
    }))
})

describe("doctor, on the hub", () => {
  const leaf = Sha256Hex.make("a".repeat(64))
  const spki = Sha256Hex.make("b".repeat(64))
  const tls = Layer.succeed(ServedCertificate, { look: () => Effect.succeed({ leaf, spki, notAfter: 0 }) })

  it.effect("knows it by either pin, and names the pin of a stranger's key", () =>
    Effect.gen(function*() {
      const pins = [{ kind: "leaf", sha256: Sha256Hex.make("0".repeat(64)) }, { kind: "spki", sha256: spki }] as const
      expect(said(yield* hubCheck({ url: hub, pins }))).toEqual([
        "passed hub: pin 2 of 2 names what hub.example:8443 serves"
      ])
      const [stranger] = said(yield* hubCheck({ url: hub, pins: [pins[0]] }))
      expect(stranger).toContain("failed hub: hub.example:8443 shows a certificate that no pin names: SHA-256 AA:AA")
      expect(stranger).toContain("hub.fingerprint is spki:BB:BB")
    }).pipe(Effect.provide(tls)))

  it.effect("says that nobody answers there", () =>
    Effect.map(
      hubCheck({ url: hub, pins: [{ kind: "leaf", sha256: leaf }] }),
      (findings) =>
        expect(said(findings)).toEqual([
          expect.stringContaining("failed hub: no TLS handshake with hub.example:8443: refused")
        ])
    ).pipe(
      Effect.provide(
        Layer.succeed(ServedCertificate, {
          look: () => new NoHandshake({ host: "hub.example:8443", detail: "refused" })
        })
      )
    ))
})

describe("doctor, on the root side", () => {
  const refusal = (verb: string) =>
    JSON.stringify({ ok: false, error: { _tag: "PrivilegedError", verb, reason: "invalid", detail: "no" } })
  const answering = (answer: (verb: string) => Effect.Effect<string, RootSocketError>) =>
    Layer.succeed(RootSocket, { exchange: (verb) => answer(verb === "pct-create" ? "pctCreate" : verb) })
  const folders = { sockets: "/run/felhom-agent-root", state: "/var/lib/felhom-agent" }
  const agents = { uid: 996, gid: 996, mode: 0o700 }
  const owners = {
    "/var/lib/felhom-agent": agents,
    "/run/felhom-agent-root/smart.sock": agents,
    "/run/felhom-agent-root/mount.sock": agents,
    "/run/felhom-agent-root/pct-create.sock": agents
  }

  it.effect("is content when all three refuse what is no question", () =>
    Effect.map(
      rootSideChecks(folders),
      (findings) => expect(said(findings)).toEqual(["passed root side: pct-create, mount, smart answer"])
    ).pipe(Effect.provide([filesOf({ owners }), answering((verb) => Effect.succeed(refusal(verb)))])))

  it.effect("says which one is not there, or answers something else", () =>
    Effect.gen(function*() {
      const findings = said(yield* rootSideChecks(folders))
      expect(findings).toEqual([
        expect.stringContaining(
          "failed root side: root helper for pct-create: an answer that this version does not know"
        ),
        expect.stringContaining("failed root side: root helper for mount: it took {} for a question"),
        expect.stringContaining("failed root side: root helper for smart: absent")
      ])
    }).pipe(
      Effect.provide([
        filesOf({ owners }),
        answering((verb) =>
          verb === "smart"
            ? new RootSocketError({ verb: "smart", reason: "absent", detail: "there is no smart.sock" })
            : Effect.succeed(verb === "mount" ? `{"ok":true,"result":{}}` : "hello")
        )
      ])
    ))

  it.effect("sees a socket that lets in another user than the agent's, although root gets in", () =>
    Effect.map(rootSideChecks(folders), (findings) =>
      expect(said(findings)).toEqual([
        expect.stringContaining(
          "failed root side: /run/felhom-agent-root/mount.sock is not the agent's to ask: it belongs to another user than " +
            "/var/lib/felhom-agent\nSocketUser= of felhom-agent-mount.socket"
        )
      ])).pipe(
        Effect.provide([
          filesOf({ owners: { ...owners, "/run/felhom-agent-root/mount.sock": { ...agents, uid: 0 } } }),
          answering((verb) => Effect.succeed(refusal(verb)))
        ])
      ))
})

describe("doctor, on the installation", () => {
  const unit = "/usr/lib/systemd/system/felhom-agent.service"
  const root = { uid: 0, gid: 0, mode: 0o644 }
  const agents = { uid: 996, gid: 996, mode: 0o700 }
  const wanted = { "/etc/systemd/system/multi-user.target.wants/felhom-agent.service": root }
  const places = {
    configFile: "/etc/felhom-agent/config.json",
    stateDirectory: "/var/lib/felhom-agent",
    runtimeDirectory: "/nonexistent/run"
  }
  const examined = (owners: Host["owners"] = {}) =>
    Effect.map(installChecks(places), said).pipe(Effect.provide(filesOf({ owners })))

  it.effect("knows whether there is a service to look at", () =>
    Effect.gen(function*() {
      expect(yield* Effect.provide(installed, filesOf({}))).toBe(false)
      expect(yield* Effect.provide(installed, filesOf({ owners: { [unit]: root } }))).toBe(true)
    }))

  it.effect("says that it does not run, and does not start with the host", () =>
    Effect.gen(function*() {
      const findings = yield* examined()
      expect(findings[0]).toBe("failed service: it does not start with the host\nsystemctl enable felhom-agent.service")
      expect(findings[1]).toMatch(/^failed service: no daemon runs here[^]*journalctl -u felhom-agent\.service$/)
      expect(yield* examined(wanted)).toEqual(findings.slice(1))
    }))

  it.effect("sees settings that the agent can't read, and what root left in its state folder", () =>
    Effect.gen(function*() {
      const state = { "/var/lib/felhom-agent": agents }
      const config = (ownership: Ownership) => ({ ...wanted, ...state, "/etc/felhom-agent/config.json": ownership })
      expect((yield* examined(config({ uid: 0, gid: 0, mode: 0o640 })))[0]).toMatch(/^failed config: .*can't be read/)
      for (const fine of [{ uid: 0, gid: 996, mode: 0o640 }, root, { uid: 996, gid: 0, mode: 0o600 }]) {
        expect((yield* examined(config(fine)))[0]).toMatch(/^failed service/)
      }
      const left = {
        ...wanted,
        ...state,
        "/var/lib/felhom-agent/state.json": root,
        "/var/lib/felhom-agent/lock": agents
      }
      expect((yield* examined(left))[0]).toMatch(/^failed state folder: state\.json in \/var\/lib\/felhom-agent belong/)
    }))
})

describe("doctor, on fstab", () => {
  const uuid = FilesystemUuid.make("1741368e-c387-42cc-8971-e25211e7e768")
  const mount = { uuid, name: MountName.make("backup-1"), type: "ext4" }
  const files = {
    "/etc/systemd/system/mnt-felhom-backup\\x2d1.mount": unitText(mount),
    "/etc/systemd/system/mnt-felhom-theirs.mount": "[Mount]\nWhat=/dev/sdz1\n",
    "/etc/fstab": `# UUID=${uuid} /old ext4\nUUID=${uuid.toUpperCase()} /mnt/usb ext4 defaults 0 2\n/dev/sda1 / ext4\n`
  }

  it.effect("warns of a line for a disk that the agent mounts, and of no other", () =>
    Effect.gen(function*() {
      expect(yield* ourMounts).toEqual([mount])
      expect(said(yield* fstabCheck)).toEqual([
        expect.stringContaining(
          `note fstab: /etc/fstab names a disk that felhom-agent mounts: UUID=${uuid.toUpperCase()} /mnt/usb`
        )
      ])
    }).pipe(Effect.provide(filesOf({ files }))))

  it("knows the disk by each of its names, and its mount point", () => {
    const lines = [`UUID="${uuid}" /a ext4`, `/dev/disk/by-uuid/${uuid} /b ext4`, "/dev/sdb1 /mnt/felhom/backup-1 ext4"]
    expect(fstabLines(["", "proc /proc proc", ...lines].join("\n"), [mount])).toEqual(lines)
  })
})
