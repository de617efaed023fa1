import { describe, it } from "@effect/vitest"
import type { AlarmList } from "@felhom/domain/AlarmApi"
import { HostId } from "@felhom/domain/HostId"
import { HostPublicKey } from "@felhom/domain/HostKey"
import { HostDetail } from "@felhom/domain/HubApi"
import type { NodeName } from "@felhom/domain/ProxmoxId"
import { EpochMillis } from "@felhom/domain/Time"
import { noticeOf } from "@felhom/hub/NoticeText"
import { renderAlarms, renderNoticeTests } from "@felhom/operator/AlarmView"
import { renderHosts } from "@felhom/operator/HostsView"
import { renderEvents, renderHost } from "@felhom/operator/HostView"
import { renderTokens, renderWaiting } from "@felhom/operator/TrustView"
import { Encoding, Schema } from "effect"
import { expect } from "vitest"
import { guest, hostId, now, summary, unavailable, wireDetail, wireEvent } from "./HostBuilder.ts"

/** Clears the screen, sets the title, rings, turns the line round, begins a new line that looks like ours. */
const evil = "\u001b[2J\u001b]0;owned\u0007\u202eevil\r\nattic  0a1b2c3d  ok\u009b31m\u2028"

const at = EpochMillis.make(now - 60_000)
const host = HostId.make(hostId)
// A node's name is checked where it enters; a view must not rely on that.
const node = evil as NodeName
const key = HostPublicKey.make(Encoding.encodeBase64(new Uint8Array(32).fill(9)))

const ok = <A>(value: A) => ({ state: "ok", readAt: now, value }) as const

const detail = (): HostDetail => {
  const wire = wireDetail([
    guest(101, { name: evil, lock: evil, tags: [evil] }),
    guest(102, { config: unavailable(evil), snapshots: unavailable(evil) })
  ])
  return Schema.decodeUnknownSync(HostDetail)({
    ...wire,
    summary: { ...wire.summary, attention: [evil], acknowledged: [evil] },
    inventory: {
      ...wire.inventory,
      storages: ok([
        { storage: "local", type: evil, content: [evil], shared: false, enabled: true, active: false }
      ]),
      disks: ok([{
        devicePath: evil,
        type: evil,
        size: null,
        model: evil,
        serial: evil,
        health: evil,
        wearout: null,
        usedFor: evil
      }])
    },
    sections: {
      ...wire.sections,
      restore: unavailable(evil),
      health: ok({
        lookedAt: now,
        omitted: 0,
        lines: [{ kind: "disk", name: evil, id: evil, state: "fail", since: now, reasons: [evil], storages: [] }]
      }),
      hostStorage: ok({
        sets: [{
          name: evil,
          storage: "usb",
          state: "trouble",
          why: evil,
          members: [{ name: evil, state: "refused", mountedAt: null, why: evil }]
        }],
        network: [{ storage: "nas", type: evil, state: "trouble", why: evil }]
      })
    }
  })
}

const alarms: AlarmList = {
  alarms: [{
    id: 1,
    cause: evil,
    title: evil,
    severity: "critical",
    raisedAt: at,
    notifiedAt: null,
    recoveredAt: null,
    acknowledged: { by: evil, at, until: null, note: evil },
    hosts: [{ host, node, sentence: evil, since: at, clearedAt: null, acknowledged: true }]
  }],
  channels: [{ channel: "mail", target: evil, deliveredAt: null, failingSince: at, lastError: evil, waiting: 1 }]
}

const member = {
  host,
  node,
  severity: "critical" as const,
  sentence: evil,
  since: now,
  clearedAt: null,
  toldAt: null,
  acknowledged: false,
  returns: 0
}

const notice = (kind: "raised" | "worse" | "recovered") =>
  noticeOf(
    {
      alarm: {
        id: 1,
        cause: `storage.offline ${evil}`,
        severity: "critical",
        raisedAt: now,
        notifiedAt: null,
        recoveredAt: null,
        acknowledgement: null,
        members: [member, { ...member, host: HostId.make("b".repeat(32)) }]
      },
      tell: { kind, fresh: new Set([host]) }
    },
    "id",
    { name: "test", version: "1", storeEpoch: "e" },
    2,
    now
  )

const fleet = () => ({
  hosts: [summary({ attention: [evil], acknowledged: [evil] })],
  expected: [{ host, node, acceptedAt: at, acceptedBy: evil, attention: evil, acknowledged: evil }],
  waiting: [{ host, node, publicKey: key, agentVersion: evil, since: at, namesakes: [{ host, lastSeen: at }] }],
  channels: alarms.channels
})

const tables: ReadonlyArray<readonly [string, () => ReadonlyArray<string>]> = [
  ["felhom hosts", () => renderHosts(fleet(), now, false)],
  ["felhom host", () => renderHost(detail(), [], now, false, { sentence: evil, good: false })],
  [
    "felhom events",
    () => renderEvents([{ ...wireEvent, severity: "critical", at, subject: evil, message: evil }], now, false)
  ],
  ["felhom alarms", () => renderAlarms(alarms, now, false)],
  ["felhom notify test", () => renderNoticeTests([{ channel: "mail", target: evil, error: evil }], false)],
  ["felhom waiting", () => renderWaiting(fleet().waiting.map((each) => ({ ...each, code: evil })), now, false)],
  [
    "felhom tokens",
    () =>
      renderTokens(
        [{ id: evil, role: "host", label: evil, createdAt: at, host, expiresAt: null, state: "live" }],
        now,
        false
      )
  ],
  ["a notice", () => notice("raised").text.split("\n")],
  ["a notice of something worse", () => notice("worse").text.split("\n")],
  ["a notice that it is over", () => notice("recovered").text.split("\n")],
  ["a notice's title, which is a mail's subject", () => [notice("raised").title]],
  ["a notice's hosts", () => (notice("raised").alarm?.hosts ?? []).flatMap(({ node, sentence }) => [node, sentence])]
]

describe("hostile text is shown and not obeyed in", () => {
  it.each(tables)("%s", (_, render) => {
    const lines = render()
    expect(lines.join("")).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e]/)
    expect(lines.join("")).toContain("\\u001b[2J")
    // No line of its own making.
    expect(lines.filter((line) => line.startsWith("attic  0a1b2c3d  ok"))).toEqual([])
  })
})
