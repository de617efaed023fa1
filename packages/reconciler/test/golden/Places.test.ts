import { describe, it } from "@effect/vitest"
import { type GoldenManifest, GoldenName, goldenType } from "@felhom/domain/GoldenManifest"
import { HostId } from "@felhom/domain/HostId"
import { NodeName, StorageId, TokenId, Vmid, Volid } from "@felhom/domain/ProxmoxId"
import { EpochMillis } from "@felhom/domain/Time"
import { Upid } from "@felhom/domain/Upid"
import { ProxmoxClient } from "@felhom/proxmox/ProxmoxClient"
import { noArchiveBytes } from "@felhom/reconciler/golden/ArchiveBytes"
import { archivePlace } from "@felhom/reconciler/golden/ArchivePlace"
import { archiveOf, notDone, startsOf, taskOf } from "@felhom/reconciler/golden/BuildTasks"
import { withGolden } from "@felhom/reconciler/golden/GoldenPolicy"
import { goldenConfigTrouble, seeArchive } from "@felhom/reconciler/golden/SeenArchive"
import { Effect, Either, Layer, TestClock } from "effect"
import { expect } from "vitest"
import { goldenConfig } from "../make/MakeHost.ts"
import { policyOf } from "../plan/ModelHost.ts"
import { orderFor } from "./GoldenHost.ts"

type Client = typeof ProxmoxClient.Service

/** A client that answers this and nothing else. */
const mock = (more: Partial<Pick<Client, "storageConfig" | "storageContent" | "taskLog" | "tasks">>) =>
  Layer.mock(ProxmoxClient, { node: NodeName.make("attic"), tokenId: TokenId.make("felhom-agent@pve!agent"), ...more })

describe("where an archive lies as a file of the host", () => {
  const placed = (
    config: { readonly storage: string; readonly type: string; readonly [key: string]: unknown },
    name = "x.tar.zst"
  ) =>
    archivePlace(Volid.make(`${config.storage}:backup/${name}`)).pipe(
      Effect.map(Either.merge),
      Effect.provide(mock({
        storageConfig: Effect.succeed({
          rows: [{ content: [], ...config, storage: StorageId.make("local") }],
          unreadable: []
        })
      }))
    )

  for (
    const [config, name, place] of [
      [{ type: "dir", path: "/var/lib/vz" }, "x.tar.zst", "/var/lib/vz/dump/x.tar.zst"],
      [{ type: "dir", path: "/mnt/usb/" }, "x.tar.zst", "/mnt/usb/dump/x.tar.zst"],
      [{ type: "btrfs", path: "/mnt/b" }, "x.tar.zst", "/mnt/b/dump/x.tar.zst"],
      [{ type: "nfs", export: "/x" }, "x.tar.zst", "/mnt/pve/local/dump/x.tar.zst"],
      [{ type: "cifs", path: "/mnt/own" }, "x.tar.zst", "/mnt/own/dump/x.tar.zst"],
      [{ type: "dir", path: "/d", "content-dirs": "iso=i,backup=b/c" }, "x.tar.zst", "/d/b/c/x.tar.zst"],
      [{ type: "dir", path: "/d", "content-dirs": "iso=i" }, "x.tar.zst", "/d/dump/x.tar.zst"],
      [
        { type: "pbs", datastore: "d" },
        "ct/100/2026-01-01T00:00:00Z",
        "local (pbs) keeps no archive as a file of this host"
      ],
      [{ type: "zfspool", path: "/p" }, "x.tar.zst", "local (zfspool) keeps no archive as a file of this host"],
      [{ type: "dir", path: "relative" }, "x.tar.zst", "local (dir) keeps no archive as a file of this host"],
      [{ type: "dir", path: "/d" }, "../../etc/shadow", "../../etc/shadow is no file in the folder of local"],
      [{ type: "dir", path: "/d" }, ".hidden", ".hidden is no file in the folder of local"]
    ] as const
  ) {
    it.effect(`${JSON.stringify(config)}: ${place}`, () =>
      Effect.map(placed({ storage: "local", ...config }, name), (found) => expect(found).toBe(place)))
  }

  it.effect("is not known of a storage that is not set up", () =>
    Effect.map(
      placed({ storage: "gone", type: "dir", path: "/d" }),
      (found) => expect(found).toBe("nobody can tell where gone keeps its files")
    ))
})

describe("a configuration is fit for a golden image", () => {
  const trouble = (change: (text: string) => string) => goldenConfigTrouble(change(goldenConfig), "amd64")

  it("where it is unprivileged, with keyctl and nesting, for this host, and reaches nowhere", () => {
    expect(trouble((text) => text)).toBeUndefined()
    expect(trouble((text) => text.replace("arch: amd64\n", ""))).toBeUndefined()
  })

  it("and else it says why not", () => {
    expect(trouble((text) => text.replace("keyctl=1,", ""))).toBe("its container lacks keyctl")
    expect(trouble((text) => text.replace("features: keyctl=1,nesting=1\n", ""))).toBe(
      "its container lacks keyctl and nesting"
    )
    expect(trouble((text) => text.replace("amd64", "arm64"))).toBe("it is for arm64, and this host is amd64")
    expect(trouble((text) => `${text}hookscript: local:snippets/x\n`)).toContain("it has a hook script")
    expect(trouble((text) => `${text}lxc.mount.entry: x\n`)).toContain("a raw LXC key")
    expect(trouble((text) => text.replace("unprivileged: 1", ""))).toContain("privileged container's")
    expect(trouble(() => "what is this\n")).toBe("its configuration can't be read")
  })
})

const upid = (user: string, started = "6B023651") =>
  Upid.make(`UPID:attic:00000001:00000002:${started}:vzdump:100:${user}:`)

const build = { vmid: Vmid.make(100) }

describe("the archive that a backup has written", () => {
  const named = (...lines: ReadonlyArray<string>) =>
    archiveOf(upid("felhom-agent@pve!agent"), orderFor()).pipe(
      Effect.provide(mock({
        taskLog: () =>
          Effect.succeed({ rows: lines.map((t, n) => ({ n: n + 1, t })), unreadable: [], total: lines.length })
      }))
    )

  it.effect("is the one that its log names, in a folder or on a backup server", () =>
    Effect.gen(function*() {
      expect(
        yield* named(
          "INFO: x",
          "INFO: creating vzdump archive '/var/lib/vz/dump/vzdump-lxc-100-2026_01_01-00_00_00.tar.zst'"
        )
      )
        .toBe("local:backup/vzdump-lxc-100-2026_01_01-00_00_00.tar.zst")
      expect(yield* named("INFO: creating Proxmox Backup Server archive 'ct/100/2026-01-01T00:00:00Z'")).toBe(
        "local:backup/ct/100/2026-01-01T00:00:00Z"
      )
      expect(yield* named("INFO: x", "INFO: creating tar archive 'y'")).toBeUndefined()
      expect(yield* named()).toBeUndefined()
    }))
})

describe("a task of the build's", () => {
  const row = (id: Upid, starttime: number) => ({
    upid: id,
    node: "attic",
    type: "vzdump",
    id: "100",
    user: "x",
    tokenid: null,
    starttime,
    endtime: null,
    status: null
  })
  const over = (...rounds: ReadonlyArray<ReadonlyArray<ReturnType<typeof row>>>) => {
    let at = 0
    return mock({
      tasks: () => Effect.sync(() => ({ rows: rounds[Math.min(at++, rounds.length - 1)] ?? [], unreadable: [] }))
    })
  }
  const found = (layer: ReturnType<typeof mock>, whose: "root" | "ours") =>
    Effect.gen(function*() {
      const fiber = yield* Effect.fork(Effect.provide(taskOf(build, "vzdump", 0, whose), layer))
      yield* TestClock.adjust("1 minute")
      return yield* fiber
    })

  it.effect("is the newest of whom it has to be, and never a stranger's", () =>
    Effect.gen(function*() {
      const [ours, root, stranger] = [upid("felhom-agent@pve!agent"), upid("root@pam"), upid("mallory@pve!x")]
      const newer = upid("felhom-agent@pve!agent", "6B023652")
      const all = over([row(ours, 1), row(root, 2), row(stranger, 9), row(newer, 3), row(ours, 1)])
      expect(yield* found(all, "ours")).toBe(newer)
      expect(yield* found(all, "root")).toBe(root)
      expect(yield* found(over([row(stranger, 9)]), "root")).toBeUndefined()
    }))

  it.effect("is looked for once more before there is none", () =>
    Effect.gen(function*() {
      const ours = upid("felhom-agent@pve!agent")
      expect(yield* found(over([], [row(ours, 1)]), "ours")).toBe(ours)
    }))

  it.effect("counts once, however often the list has it", () =>
    Effect.gen(function*() {
      const ours = upid("felhom-agent@pve!agent")
      const counted = startsOf({ ...build, begunAt: EpochMillis.make(0) }).pipe(
        Effect.provide(over([row(ours, 1), row(ours, 1)]))
      )
      expect(yield* counted).toBe(1)
    }))

  it("was done, or says why not", () => {
    const id = upid("felhom-agent@pve!agent")
    expect(notDone({ _tag: "ok", upid: id })).toBeUndefined()
    expect(notDone({ _tag: "warnings", upid: id, count: 1, logTail: [] })).toBeUndefined()
    expect(notDone({ _tag: "failed", upid: id, exitStatus: "no space", logTail: [] })).toBe("no space")
    expect(notDone({ _tag: "unknown", upid: id, reason: "lost", logTail: [] })).toBe("lost")
  })
})

it.effect("an archive whose size nobody tells is none", () =>
  Effect.gen(function*() {
    const volid = Volid.make("local:backup/x.tar.zst")
    const row = {
      volid: String(volid),
      content: "backup",
      format: null,
      size: null,
      ctime: null,
      vmid: null,
      subtype: null,
      notes: null,
      protected: false,
      encrypted: null,
      verification: null
    }
    const seen = seeArchive(volid, "golden image x").pipe(
      Effect.provide(mock({ storageContent: () => Effect.succeed({ rows: [row], unreadable: [] }) }))
    )
    expect(yield* Effect.flip(seen)).toMatchObject({
      message: expect.stringContaining("there is no local:backup/x.tar.zst")
    })
    expect(yield* Effect.flip(noArchiveBytes.read("/x"))).toBe("/x: this program reads no archives")
  }))

it("a policy without golden images is as root wrote it, and one with knows what was signed of them alone", () => {
  const volid = Volid.make("local:backup/x.tar.zst")
  const manifest = (name: string): GoldenManifest => ({
    typ: goldenType,
    name: GoldenName.make(name),
    version: 1,
    volid,
    size: 1,
    bytes: { unread: "x" },
    config: "x",
    template: "local:vztmpl/x.tar.zst",
    host: HostId.make("1".repeat(32)),
    builtAt: EpochMillis.make(0)
  })
  const held = ["debian-13", "other"].map((name) => ({
    manifest: manifest(name),
    signed: { payload: "", signatures: [] }
  }))
  const plain = policyOf({ images: { "debian-13": "a1:b" } })
  expect(withGolden(plain, held)).toBe(plain)
  expect(withGolden(policyOf({ golden: { images: ["debian-13", "gone"] }, images: { gone: "a1:b" } }), held).images)
    .toEqual({
      "debian-13": volid
    })
})
