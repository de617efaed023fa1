import { expect, it } from "@effect/vitest"
import { HostId } from "@felhom/domain/HostId"
import { HubApi } from "@felhom/domain/HubApi"
import { reportPath } from "@felhom/domain/ReportRoute"

it("a host's reports go where the hub's API declares that it takes them", () => {
  const host = HostId.make("0123456789abcdef0123456789abcdef")
  const declared = HubApi.groups["reports"]?.endpoints["report"]
  expect(declared?.method).toBe("POST")
  expect(reportPath(host)).toBe(declared?.path.replace(":hostId", host))
})
