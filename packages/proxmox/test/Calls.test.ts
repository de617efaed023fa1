import { it } from "@effect/vitest"
import { NodeName, StorageId, Vmid, Volid } from "@felhom/domain/ProxmoxId"
import { Upid } from "@felhom/domain/Upid"
import { type ProxmoxApi, ProxmoxClient } from "@felhom/proxmox/ProxmoxClient"
import { Effect, Redacted } from "effect"
import { describe, expect } from "vitest"
import { broken, died, ok, scripted } from "./ScriptedApi.ts"

const upid = Upid.make("UPID:demo-felhom:000001D5:00064B2C:6B023662:vzdump:101:felhom-agent@pve!agent:")
const ct = { type: "lxc", vmid: Vmid.make(101) } as const
const vm = { type: "qemu", vmid: Vmid.make(200) } as const
const local = StorageId.make("local")
const ctstore = StorageId.make("ctstore")
const nas = StorageId.make("nas")
const archive = Volid.make("local:backup/vzdump-lxc-101-2026_11_22-01_26_20.tar.zst")
const secret = Redacted.make("a secret; with = and &")

const archivePath =
  "/nodes/demo-felhom/storage/local/content/local%3Abackup%2Fvzdump-lxc-101-2026_11_22-01_26_20.tar.zst"

interface Case {
  readonly what: string
  readonly call: (client: ProxmoxApi) => Effect.Effect<unknown, unknown>
  readonly sent: string
  readonly body?: string
  readonly data?: unknown
}

const writes: ReadonlyArray<Case> = [
  {
    what: "a backup never prunes, is always packed, and always names its storage",
    call: (client) => client.backUp(ct, { storage: local }),
    sent: "POST /nodes/demo-felhom/vzdump",
    body: "vmid=101&storage=local&mode=snapshot&compress=zstd&remove=0"
  },
  {
    what: "a backup takes notes, protection and a wait for its turn",
    call: (client) =>
      client.backUp(vm, {
        storage: local,
        mode: "stop",
        compress: "none",
        notesTemplate: "{{guestname}}; felhom",
        protected: true,
        lockWaitMinutes: 0,
        changeDetection: "metadata"
      }),
    sent: "POST /nodes/demo-felhom/vzdump",
    body: "vmid=200&storage=local&mode=stop&compress=0&remove=0&notes-template=%7B%7Bguestname%7D%7D%3B%20felhom" +
      "&protected=1&lockwait=0&pbs-change-detection-mode=metadata"
  },
  {
    what: "an archive is annotated and protected",
    call: (client) => client.annotateBackup(archive, { notes: "kept", protect: true }),
    sent: `PUT ${archivePath}`,
    body: "notes=kept&protected=1",
    data: null
  },
  {
    what: "a container is made from a template, unprivileged",
    call: (client) =>
      client.createContainer({
        vmid: ct.vmid,
        template: Volid.make("local:vztmpl/debian-13.tar.zst"),
        root: { storage: ctstore, gib: 4.5 },
        nesting: true,
        network: { net0: "name=eth0,bridge=vmbr0,ip=dhcp" },
        shape: { hostname: "web", cores: 2, memory: 512, swap: 0, tags: ["b", "a"], onboot: false }
      }),
    sent: "POST /nodes/demo-felhom/lxc",
    body: "vmid=101&ostemplate=local%3Avztmpl%2Fdebian-13.tar.zst&unprivileged=1&rootfs=ctstore%3A4.5" +
      "&features=nesting%3D1&net0=name%3Deth0%2Cbridge%3Dvmbr0%2Cip%3Ddhcp&hostname=web&cores=2&memory=512&swap=0" +
      "&onboot=0&tags=b%3Ba"
  },
  {
    what: "a restore leaves features and privilege to the archive",
    call: (client) => client.restoreContainer(ct.vmid, { archive, storage: ctstore, network: { kind: "archived" } }),
    sent: "POST /nodes/demo-felhom/lxc",
    body: "vmid=101&ostemplate=local%3Abackup%2Fvzdump-lxc-101-2026_11_22-01_26_20.tar.zst&restore=1&storage=ctstore"
  },
  {
    what: "a restore with fresh addresses",
    call: (client) =>
      client.restoreContainer(ct.vmid, {
        archive,
        storage: ctstore,
        root: { storage: ctstore, gib: 8 },
        network: { kind: "fresh-addresses" },
        shape: { hostname: "copy" }
      }),
    sent: "POST /nodes/demo-felhom/lxc",
    body: "vmid=101&ostemplate=local%3Abackup%2Fvzdump-lxc-101-2026_11_22-01_26_20.tar.zst&restore=1&storage=ctstore" +
      "&rootfs=ctstore%3A8&unique=1&hostname=copy"
  },
  {
    what: "a restore with a given card goes without unique, which would throw the card away",
    call: (client) =>
      client.restoreContainer(ct.vmid, {
        archive,
        storage: ctstore,
        network: { kind: "given", cards: { net0: "name=eth0,bridge=vmbr0" } }
      }),
    sent: "POST /nodes/demo-felhom/lxc",
    body: "vmid=101&ostemplate=local%3Abackup%2Fvzdump-lxc-101-2026_11_22-01_26_20.tar.zst&restore=1&storage=ctstore" +
      "&net0=name%3Deth0%2Cbridge%3Dvmbr0"
  },
  {
    what: "a virtual machine is restored from its archive alone",
    call: (client) => client.restoreMachine(vm.vmid, { archive, storage: ctstore, freshAddresses: true }),
    sent: "POST /nodes/demo-felhom/qemu",
    body: "vmid=200&archive=local%3Abackup%2Fvzdump-lxc-101-2026_11_22-01_26_20.tar.zst&storage=ctstore&unique=1"
  },
  {
    what: "a virtual machine is restored with cards and settings of its own",
    call: (client) =>
      client.restoreMachine(vm.vmid, {
        archive,
        storage: ctstore,
        freshAddresses: true,
        network: { net0: "virtio,bridge=vmbr0,tag=20" },
        shape: { name: "shop", cores: 2, memory: 2048, onboot: true, protection: false, tags: ["b", "a"] }
      }),
    sent: "POST /nodes/demo-felhom/qemu",
    body: "vmid=200&archive=local%3Abackup%2Fvzdump-lxc-101-2026_11_22-01_26_20.tar.zst&storage=ctstore&unique=1" +
      "&net0=virtio%2Cbridge%3Dvmbr0%2Ctag%3D20&name=shop&cores=2&memory=2048&onboot=1&protection=0&tags=b%3Ba"
  },
  {
    what: "a volume grows by a size",
    call: (client) => client.growVolume(ct, "rootfs", { growBy: 64 * 1024 ** 2 }, { digest: "abc" }),
    sent: "PUT /nodes/demo-felhom/lxc/101/resize",
    body: "disk=rootfs&size=%2B64M&digest=abc"
  },
  {
    what: "a volume grows to a size, to the byte",
    call: (client) => client.growVolume(vm, "scsi0", { growTo: 10 * 1024 ** 3 + 512 }),
    sent: "PUT /nodes/demo-felhom/qemu/200/resize",
    body: "disk=scsi0&size=10737418752"
  },
  {
    what: "a container's volume moves and leaves the old one",
    call: (client) => client.moveVolume(ct, "mp0", ctstore),
    sent: "POST /nodes/demo-felhom/lxc/101/move_volume",
    body: "volume=mp0&storage=ctstore&delete=0"
  },
  {
    what: "a virtual machine's disk moves and leaves the old one",
    call: (client) => client.moveVolume(vm, "scsi0", ctstore),
    sent: "POST /nodes/demo-felhom/qemu/200/move_disk",
    body: "disk=scsi0&storage=ctstore&delete=0"
  },
  {
    what: "startall names its guests",
    call: (client) => client.startAll([ct.vmid, Vmid.make(102)]),
    sent: "POST /nodes/demo-felhom/startall",
    body: "vms=101%2C102"
  },
  {
    what: "a folder becomes a storage that is only used while it is mounted",
    call: (client) =>
      client.createStorage({
        type: "dir",
        storage: nas,
        content: ["backup"],
        path: "/mnt/usb",
        mountpoint: true,
        nodes: [NodeName.make("demo-felhom")]
      }),
    sent: "POST /storage",
    body: "storage=nas&type=dir&content=backup&nodes=demo-felhom&path=%2Fmnt%2Fusb&is_mountpoint=yes",
    data: { storage: "nas", type: "dir" }
  },
  {
    what: "a backup server becomes a storage",
    call: (client) =>
      client.createStorage({
        type: "pbs",
        storage: nas,
        content: ["backup"],
        server: "192.0.2.7",
        datastore: "main",
        username: "felhom@pbs",
        password: secret,
        fingerprint: "AA:BB",
        encryptionKey: "autogen"
      }),
    sent: "POST /storage",
    body: "storage=nas&type=pbs&content=backup&server=192.0.2.7&datastore=main&username=felhom%40pbs" +
      "&password=a%20secret%3B%20with%20%3D%20and%20%26&fingerprint=AA%3ABB&encryption-key=autogen",
    data: { storage: "nas", type: "pbs", config: { "encryption-key": "{}" } }
  },
  {
    what: "a storage is switched off",
    call: (client) => client.updateStorage(nas, { enabled: false, digest: "abc" }),
    sent: "PUT /storage/nas",
    body: "disable=1&digest=abc",
    data: { storage: "nas", type: "dir" }
  }
]

const reads: ReadonlyArray<Case> = [
  { what: "the clock", call: (client) => client.nodeTime, sent: "GET /nodes/demo-felhom/time" },
  { what: "certificates", call: (client) => client.certificates, sent: "GET /nodes/demo-felhom/certificates/info" },
  { what: "the cluster", call: (client) => client.clusterStatus, sent: "GET /cluster/status" },
  {
    what: "a disk's health",
    call: (client) => client.smart("/dev/sda", { healthOnly: true }),
    sent: "GET /nodes/demo-felhom/disks/smart?disk=%2Fdev%2Fsda&healthonly=1"
  },
  { what: "thin pools", call: (client) => client.thinPools, sent: "GET /nodes/demo-felhom/disks/lvmthin" },
  { what: "backup jobs", call: (client) => client.backupJobs, sent: "GET /cluster/backup" },
  { what: "a volume", call: (client) => client.volumeAttributes(archive), sent: `GET ${archivePath}` },
  {
    what: "what a retention would remove",
    call: (client) => client.pruneDryRun(local, ct, { last: 3, daily: 7 }),
    sent:
      "GET /nodes/demo-felhom/storage/local/prunebackups?prune-backups=keep-last%3D3%2Ckeep-daily%3D7&type=lxc&vmid=101"
  },
  {
    what: "an archived configuration",
    call: (client) => client.archivedConfig(archive),
    sent:
      "GET /nodes/demo-felhom/vzdump/extractconfig?volume=local%3Abackup%2Fvzdump-lxc-101-2026_11_22-01_26_20.tar.zst"
  },
  { what: "roles", call: (client) => client.roles, sent: "GET /access/roles" },
  { what: "the access list", call: (client) => client.acl, sent: "GET /access/acl" },
  {
    what: "the token's own record",
    call: (client) => client.ownToken,
    sent: "GET /access/users/felhom-agent%40pve/token/agent"
  }
]

const seen = ({ method, path }: { readonly method: string; readonly path: string }) =>
  `${method} ${path.replace("/api2/json", "")}`

describe("what is sent", () => {
  it.effect.each([...writes, ...reads])("$what", ({ body, call, data, sent }) => {
    const api = scripted(() => Effect.succeed(ok(data === undefined ? upid : data)))
    return Effect.gen(function*() {
      // A read's answer is none here; what matters is the question.
      yield* Effect.exit(call(yield* ProxmoxClient))
      expect(api.sent.map(seen)).toEqual([sent])
      expect(api.sent[0]?.body).toBe(body ?? "")
    }).pipe(Effect.provide(api.layer))
  })

  it.effect.each(writes)("$what: and never twice, whatever becomes of the answer", ({ call }) => {
    const answers = [broken("UND_ERR_SOCKET"), Effect.succeed(died("", 596)), Effect.succeed(new Response(""))]
    let turn = 0
    const api = scripted(() => answers[turn++] ?? Effect.dieMessage("sent once too often"))
    return Effect.gen(function*() {
      const client = yield* ProxmoxClient
      for (const _ of answers) {
        expect(yield* Effect.flip(call(client))).toMatchObject({ reason: "outcome-unknown" })
      }
      expect(api.sent).toHaveLength(answers.length)
    }).pipe(Effect.provide(api.layer))
  })

  it("names neither features nor a privileged guest on a restore", () => {
    const restores = writes.filter(({ body }) => body?.includes("restore=1") === true)
    expect(restores).toHaveLength(3)
    for (const { body } of restores) expect(body).not.toMatch(/features|unprivileged|force/)
  })
})

describe("what comes back", () => {
  it.effect("a backup that Proxmox answers with OK was not made, and says so", () => {
    const api = scripted(() => Effect.succeed(ok("OK")))
    return Effect.gen(function*() {
      const error = yield* Effect.flip((yield* ProxmoxClient).backUp(ct, { storage: local }))
      expect(error.reason).toBe("guest-not-found")
      expect(error.message).toContain("nothing was backed up")
    }).pipe(Effect.provide(api.layer))
  })

  it.effect("an encryption key that was just made is told, and shows in no print", () => {
    const api = scripted(() => Effect.succeed(ok({ storage: "nas", type: "pbs", config: { "encryption-key": "{k}" } })))
    return Effect.gen(function*() {
      const { encryptionKey } = yield* (yield* ProxmoxClient).createStorage({
        type: "pbs",
        storage: nas,
        content: ["backup"],
        server: "192.0.2.7",
        datastore: "main",
        username: "felhom@pbs",
        password: secret,
        fingerprint: "AA:BB"
      })
      expect(encryptionKey === null ? null : Redacted.value(encryptionKey)).toBe("{k}")
      expect(JSON.stringify(encryptionKey)).not.toContain("{k}")
    }).pipe(Effect.provide(api.layer))
  })

  it.effect("a storage's password is in no error", () => {
    const api = scripted(() => Effect.succeed(died("create storage failed: 401 Unauthorized")))
    return Effect.gen(function*() {
      const client = yield* ProxmoxClient
      const error = yield* Effect.flip(client.updateStorage(nas, { password: secret }))
      expect(JSON.stringify(error) + error.message).not.toContain("a secret")
    }).pipe(Effect.provide(api.layer))
  })

  it.effect("roles, jobs and SMART tables are read with all their spellings", () => {
    const bodies: ReadonlyArray<unknown> = [
      [{ roleid: "FelhomAgent", privs: "VM.Backup,VM.Audit", special: "0" }],
      [{ id: "backup-1", enabled: "0", all: 1, storage: "local", vmid: 101, "prune-backups": { "keep-all": "1" } }],
      {
        health: "PASSED",
        type: "ata",
        wearout: "N/A",
        attributes: [{ id: "  5", name: "Realloc", value: 100, raw: "0" }]
      }
    ]
    const api = scripted((_sent, count) => Effect.succeed(ok(bodies[count - 1])))
    return Effect.gen(function*() {
      const client = yield* ProxmoxClient
      expect((yield* client.roles).rows).toEqual([
        { roleid: "FelhomAgent", privs: ["VM.Audit", "VM.Backup"], special: false }
      ])
      expect((yield* client.backupJobs).rows).toMatchObject([{
        id: "backup-1",
        enabled: false,
        all: true,
        vmid: "101"
      }])
      expect(yield* client.smart("/dev/sda")).toMatchObject({
        wearout: null,
        attributes: [{ name: "Realloc", value: "100" }]
      })
    }).pipe(Effect.provide(api.layer))
  })
})
