import { it } from "@effect/vitest"
import { nearestName } from "@felhom/agent/NearestName"
import { expect } from "vitest"

it("finds the name that was meant, and none when nothing is near", () => {
  const names = ["proxmox.url", "proxmox.fingerprint", "hub.url", "stateDir"]
  expect(nearestName("proxmox.fingerpint", names)).toBe("proxmox.fingerprint")
  expect(nearestName("statedir", names)).toBe("stateDir")
  expect(nearestName("hub.uri", names)).toBe("hub.url")
  expect(nearestName("kubernetes", names)).toBeUndefined()
})
