import { describe, it } from "@effect/vitest"
import { HostReport, Inventory } from "@felhom/domain/HostReport"
import { OpSummary } from "@felhom/domain/OpsApi"
import { SignedOp } from "@felhom/domain/SignedOp"
import { confirmations, displayedOp } from "@felhom/operator/OpDisplay"
import { operationOn } from "@felhom/operator/OpExpectation"
import { renderOps } from "@felhom/operator/OpsView"
import type { Witnessed } from "@felhom/operator/SignedHost"
import { paint } from "@felhom/operator/Table"
import { Either, Schema } from "effect"
import { expect } from "vitest"
import { hostId, wireDetail, wireSummary } from "./HostBuilder.ts"
import { archive, identified, now, opReport } from "./OpWorld.ts"

/** Clears the screen, turns the line round, begins a new line that looks like ours, and is very long. */
const evil = `\u001b[2J\u202elxc/102 "scratch"\u2066\r\n  BACKUP       fine\u009b31m${"x".repeat(5_000)}`

const sightWith = (guests: ReadonlyArray<object>): Witnessed => {
  const { inventory, sections, trust } = opReport(guests)
  const report = Schema.decodeUnknownSync(HostReport)({
    typ: "felhom/report/v1",
    host: wireSummary().host,
    sequence: 1,
    takenAt: now,
    inventoryHash: "d".repeat(64),
    inventory,
    samples: wireDetail([]).samples,
    sections: { ...sections, backup: { state: "ok", readAt: now, value: [{ ...archive, volid: `nas:${evil}` }] } },
    events: [],
    eventsDropped: 0,
    trust
  })
  return { report, inventory: Schema.decodeUnknownSync(Inventory)(inventory), code: "AAAA-BBBB-CCCC-DDDD" }
}

const destroyIn = (sight: Witnessed, more: object = {}): SignedOp => {
  const [guest] = sight.inventory?.guests.state === "ok" ? sight.inventory.guests.value : []
  if (guest === undefined) return expect.unreachable()
  const operation = Either.getOrThrow(operationOn(sight, {
    op: "guest.destroy",
    target: { guest: { type: guest.type, vmid: guest.vmid } },
    params: { unreferencedDisks: false, acceptNoProvenBackup: false }
  }))
  return Schema.decodeUnknownSync(SignedOp)({
    typ: "felhom/op/v1",
    host: hostId,
    hostEpoch: "e".repeat(32),
    nonce: "f".repeat(32),
    iat: now,
    nbf: now,
    exp: now + 3_600_000,
    storeSeqMin: 7,
    reason: "r",
    ...Schema.encodeSync(Schema.Any)(operation),
    ...more
  })
}

const shown = (op: SignedOp, sight: Witnessed): ReadonlyArray<string> =>
  displayedOp(op, sight, now).map((line) => paint(line, false))

const allowed = (text: string): boolean =>
  !/[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/.test(text)

describe("what is shown before a signature", () => {
  it("is on its own lines, in its own direction and of a bearable length, whatever guests and disks are called", () => {
    const sight = sightWith([identified(101, { name: evil.slice(0, 500) })])
    const lines = shown(destroyIn(sight, { reason: evil.slice(0, 500) }), sight)
    for (const line of lines) {
      expect(allowed(line)).toBe(true)
      expect(line.length).toBeLessThan(240)
    }
    expect(lines[0]).toMatch(/^DESTROY the container lxc\/101 "\\u001b\[2J/)
    expect(lines.filter((line) => line.startsWith("  BACKUP"))).toEqual([])
    const summary = Schema.decodeUnknownSync(OpSummary)({
      host: hostId,
      node: evil,
      op: "a".repeat(64),
      state: "refused",
      message: evil,
      claim: { op: evil, target: evil, reason: evil },
      signatures: 1,
      needs: 1,
      submittedBy: evil,
      submittedAt: now,
      changedAt: now,
      expiresAt: now
    })
    const word = { by: "forger", why: evil } as const
    const table = renderOps([{ summary, state: summary.state, message: summary.message, word }], now, false)
    // The head, the op, an empty line, and what is wrong with it.
    expect(table).toHaveLength(4)
    for (const line of table) expect(allowed(line)).toBe(true)
  })

  it("says what a host asks of backups before it destroys, and that who accepts to have none gets what they signed", () => {
    const sight = sightWith([identified(101)])
    const accepting = destroyIn(sight, { params: { unreferencedDisks: false, acceptNoProvenBackup: true } })
    expect(shown(accepting, sight).join("\n")).toContain("even where the host finds no backup that holds what is lost")
    expect(shown(accepting, sight).join("\n")).not.toContain("done only if")
    expect(shown(destroyIn(sight), sight).join("\n")).toContain(
      "done only if the host finds a finished backup of the last"
    )
    expect(shown(destroyIn(sight), sight).join("\n")).not.toContain("ACCEPTED")
  })

  it("asks for the number where a name can't say which guest is meant", () => {
    const asked = (name: string | null, ...others: ReadonlyArray<string>) => {
      const guests = [
        identified(101, { name }),
        ...others.map((other, index) => identified(102 + index, { name: other }))
      ]
      const sight = sightWith(guests)
      return confirmations(destroyIn(sight), sight)
    }
    expect(asked("blog", "wiki")).toEqual(["blog", "lxc 101"])
    const byNumber = ["lxc 101"]
    expect(asked(null)).toEqual(byNumber)
    expect(asked("")).toEqual(byNumber)
    expect(asked(evil.slice(0, 300))).toEqual(byNumber)
    // Another guest has it, too, but for its case.
    expect(asked("blog", "Blog")).toEqual(byNumber)
    // A Cyrillic o.
    expect(asked("bl\u043eg", "blog")).toEqual(byNumber)
    // Another guest's number, or what reads like one.
    for (const name of ["102", "lxc-102", "LXC102", "qemu.102", "vm102", "ct-102"]) {
      expect(asked(name, "wiki")).toEqual(byNumber)
    }
  })
})
