import { describe, expect, it } from "@effect/vitest"
import { DaemonAsked } from "@felhom/agent/admin/AskDaemon"
import { HostFiles } from "@felhom/agent/configure/HostFiles"
import { type Leaving, leavingCommands, leavingFindings } from "@felhom/agent/detach/Detach"
import { TokenId } from "@felhom/domain/ProxmoxId"
import { EpochMillis } from "@felhom/domain/Time"
import { FilesystemUuid, MountName } from "@felhom/privileged/Mount"
import { unitText } from "@felhom/privileged/MountUnit"
import { PveSim } from "@felhom/pve-sim/PveSim"
import { Effect, Layer, Option } from "effect"
import { host, type HostOptions } from "../selftest/SimulatedHost.ts"

const tokenId = TokenId.make("felhom-agent@pve!agent")
const stateDirectory = "/var/lib/felhom-agent"
const unit = unitText({
  uuid: FilesystemUuid.make("1741368e-c387-42cc-8971-e25211e7e768"),
  name: MountName.make("backup-1"),
  type: "ext4"
})

const filesOf = (options: { readonly state: boolean; readonly mounted: boolean }) =>
  Layer.succeed(HostFiles, {
    read: () => Effect.succeed(options.mounted ? Option.some(unit) : Option.none()),
    list: () => Effect.succeed(options.mounted ? ["mnt-felhom-backup\\x2d1.mount", "ssh.service"] : []),
    ownership: () => Effect.succeed(options.state ? Option.some({ uid: 996, gid: 996, mode: 0o700 }) : Option.none()),
    write: () => Effect.dieMessage("detach writes nothing")
  })

const idle: Leaving["ops"] = Effect.succeed({ ok: true, message: "", ops: [] })

const leaving = (
  options: {
    readonly ops?: Leaving["ops"]
    readonly state?: boolean
    readonly mounted?: boolean
    readonly host?: HostOptions
  } = {}
) =>
  Effect.map(
    leavingFindings({ stateDirectory, tokenId, ops: options.ops ?? idle }),
    (findings) => findings.map(({ detail, name, outcome }) => `${outcome} ${name}: ${detail}`)
  ).pipe(
    Effect.provide([
      host(options.host),
      filesOf({ state: options.state ?? true, mounted: options.mounted ?? false })
    ])
  )

describe("detach", () => {
  it.effect("says that each guest and storage stays, and what goes", () =>
    Effect.gen(function*() {
      const findings = yield* leaving()
      expect(findings.slice(0, 4)).toEqual([
        "passed guests: stay, and go on as they are: lxc/101 on-dir (stopped), lxc/102 future (stopped), lxc/9999 tiny " +
        "(stopped), qemu/200 vm-sample (stopped)",
        "passed storages: stay, with all backups and images on them: ctstore (btrfs), local (dir)",
        "passed ops: no signed op is under way or waits",
        "passed tasks: none of felhom-agent@pve!agent runs"
      ])
      expect(findings[4]).toMatch(/^note what goes: with apt remove: [^]*with apt purge also those: /)
    }))

  it.effect("asks Proxmox VE nothing but questions", () =>
    Effect.gen(function*() {
      const { requests } = yield* PveSim
      yield* leavingFindings({ stateDirectory, tokenId, ops: idle })
      expect(new Set((yield* requests).map(({ method }) => method))).toEqual(new Set(["GET"]))
    }).pipe(Effect.provide([host(), filesOf({ state: true, mounted: false })])))

  it.effect("is held up by a signed op, and by a task of the agent's", () =>
    Effect.gen(function*() {
      const upid = "UPID:demo-felhom:000001E1:00000001:67000000:vzdump:101:felhom-agent@pve!agent:"
      const row = (user: string) => ({
        upid,
        node: "demo-felhom",
        type: "vzdump",
        id: "101",
        user,
        starttime: 1,
        status: "RUNNING"
      })
      const busy = yield* leaving({
        ops: Effect.succeed({
          ok: true,
          message: "",
          ops: [{ op: null, words: "destroy lxc/102", stage: "started", acceptedAt: EpochMillis.make(1) }]
        }),
        host: {
          instead: (path) => path.endsWith("/tasks") ? [row("felhom-agent@pve!agent"), row("root@pam")] : undefined
        }
      })
      expect(busy.filter((finding) => finding.startsWith("failed"))).toEqual([
        expect.stringContaining("failed ops: started: destroy lxc/102"),
        expect.stringContaining(`failed tasks: vzdump of 101 runs: ${upid}`)
      ])
    }))

  it.effect("does not guess where the daemon can't be asked, and knows when it never ran", () =>
    Effect.gen(function*() {
      const ops = new DaemonAsked({ reason: "no-daemon", detail: "/run/felhom-agent/admin.sock" })
      expect(yield* leaving({ ops })).toContainEqual(
        expect.stringContaining("failed ops: whether a signed op is under way is not known: no daemon runs here")
      )
      expect(yield* leaving({ ops, state: false })).toContain(
        "passed ops: none: there is no /var/lib/felhom-agent, so the agent never ran here"
      )
    }))

  it.effect("tells of each disk that stays mounted, and how that ends", () =>
    Effect.gen(function*() {
      expect(yield* leaving({ mounted: true })).toContainEqual(
        expect.stringMatching(
          /^note disks: backup-1 \(UUID 1741368e-.*\) stays mounted at \/mnt\/felhom\/backup-1.*\n.*systemctl disable --now mnt-felhom-backup\\x2d1\.mount/
        )
      )
    }))

  it.effect("fails when Proxmox VE does not say what is there", () =>
    Effect.gen(function*() {
      const findings = yield* leaving({
        host: { instead: (path) => (/\/(?:lxc|tasks)$/.test(path) ? "nonsense" : undefined) }
      })
      expect(findings.filter((finding) => finding.startsWith("failed")).map((finding) => finding.split(":")[0]))
        .toEqual([
          "failed guests",
          "failed tasks"
        ])
    }))

  it("gives root's commands in order: hold, remove, and only then the rights", () => {
    const commands = leavingCommands(tokenId)
    expect(commands[0]).toContain("felhom-agent hold")
    expect(commands).toContain("pveum user token delete felhom-agent@pve agent")
    expect(commands.findIndex((line) => line.startsWith("apt"))).toBeLessThan(
      commands.findIndex((line) => line.startsWith("pveum"))
    )
  })
})
