import { describe, it } from "@effect/vitest"
import { formatUpid, parseUpid } from "@felhom/domain/Upid"
import { Either } from "effect"
import * as fc from "effect/FastCheck"
import { expect } from "vitest"

describe("UPID", () => {
  it("is taken apart as Proxmox puts it together", () => {
    const text = "UPID:demo-felhom:000001D5:00064B2C:6B023662:vzsnapshot:9999:felhom-agent@pve!agent:"
    expect(Either.getOrThrow(parseUpid(text))).toMatchObject({
      node: "demo-felhom",
      pid: 469,
      pstart: 412460,
      startTime: 1795307106,
      type: "vzsnapshot",
      id: "9999",
      user: "felhom-agent@pve!agent"
    })
  })

  it("may have an empty id, one with a storage, and a start time of nine digits after long uptimes", () => {
    for (
      const text of [
        "UPID:demo-felhom:0000083D:0004E844:6B0232D5:vzdump::felhom-agent@pve!agent:",
        "UPID:demo-felhom:000008E8:0004EAA1:6B0232DB:imgdel:9999@local:felhom-agent@pve!agent:",
        "UPID:pve:000008E8:10004EAA1:6B0232DB:vzstart:100:root@pam:"
      ]
    ) {
      expect(Either.map(parseUpid(text), formatUpid)).toEqual(Either.right(text))
    }
  })

  it("is refused when it is anything else, a backup server's for instance", () => {
    for (
      const text of [
        "",
        "OK",
        "UPID:pbs:000008E8:0004EAA1:00000001:6B0232DB:verify:store:root@pam:",
        "UPID:pve:000008E8:0004EAA1:6B0232DB:vzstart:100:root@pam",
        "UPID:pve:8E8:0004EAA1:6B0232DB:vzstart:100:root@pam:",
        "UPID:pve:000008E8:0004EAA1:6B0232DB:vzstart:100:root@pam:\n",
        "UPID:-pve:000008E8:0004EAA1:6B0232DB:vzstart:100:root@pam:"
      ]
    ) {
      expect(Either.isLeft(parseUpid(text)), JSON.stringify(text)).toBe(true)
    }
  })

  it("never throws, whatever it is given", () => {
    const nearly = fc.array(fc.constantFrom("UPID", ":", "pve", "0004EAA1", "vzstart", "root@pam", "é", "\n", "/"), {
      maxLength: 20
    })
      .map((parts) => parts.join(""))
    fc.assert(fc.property(fc.oneof(fc.string(), nearly), (text) => Either.isEither(parseUpid(text))), { numRuns: 2000 })
  })
})
