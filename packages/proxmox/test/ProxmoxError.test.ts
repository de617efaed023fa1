import { describe, expect, it } from "@effect/vitest"
import { PinMismatch, pinMismatchOf } from "@felhom/domain/PeerPin"
import { NodeName, TokenId } from "@felhom/domain/ProxmoxId"
import * as ProxmoxConfig from "@felhom/proxmox/ProxmoxConfig"
import { ProxmoxError, ProxmoxReason } from "@felhom/proxmox/ProxmoxError"
import { Effect, Redacted } from "effect"

const error = (fields: Partial<ConstructorParameters<typeof ProxmoxError>[0]>) =>
  new ProxmoxError({
    reason: "other",
    method: "PUT",
    path: "/nodes/demo/lxc/101/config",
    host: "127.0.0.1:8006",
    tokenId: "felhom-agent@pve!agent",
    status: 500,
    detail: "",
    errors: {},
    ...fields
  })

describe("a failed call tells an operator", () => {
  it("what was asked of whom, for every reason, and what to do", () => {
    for (const reason of ProxmoxReason.literals) {
      const { message } = error({ reason, detail: "some words" })
      expect(message).toMatch(/^PUT \/nodes\/demo\/lxc\/101\/config on 127\.0\.0\.1:8006: ./)
      expect(message).toMatch(/\(500\)$/)
    }
  })

  it("which privilege is missing where, and the command that grants it to user and token", () => {
    expect(error({ reason: "forbidden", status: 403, detail: "Permission check failed (/vms/101, VM.Audit)" }).message)
      .toBe(
        "PUT /nodes/demo/lxc/101/config on 127.0.0.1:8006: the token lacks VM.Audit on /vms/101. A token has only what its user " +
          "has too, so grant both: pveum acl modify /vms/101 --roles <a role with it> --users felhom-agent@pve " +
          "--tokens 'felhom-agent@pve!agent'; better on /, since a grant on a single guest dies with it (403)"
      )
    expect(error({ reason: "forbidden", detail: "Permission check failed (/, Sys.Audit|Sys.Modify)" }).message)
      .toContain("lacks one of Sys.Audit, Sys.Modify on /. ")
  })

  it("that only root may do it, where no privilege would help", () => {
    const detail = "Permission check failed (changing the hookscript is only allowed for root@pam)"
    expect(error({ reason: "forbidden", detail }).message).toContain(`not allowed for an API token: ${detail}`)
  })

  it("that a refused token's cause is in the host's syslog alone", () => {
    const { message } = error({ reason: "unauthorized", status: 401 })
    expect(message).toContain("felhom-agent@pve!agent")
    expect(message).toContain("journalctl")
  })

  it("which parameter was wrong", () => {
    expect(error({ reason: "invalid", errors: { memory: "type check failed" } }).message).toContain(
      "memory: type check failed"
    )
  })

  it("what the peer showed, when its certificate was refused", () => {
    const cause = new PinMismatch({ peer: "127.0.0.1:8006", leaf: "AA:BB", spki: "CC:DD" })
    const refused = error({ reason: "refused-certificate", status: null, cause })
    expect(refused.message).toContain("AA:BB")
    expect(pinMismatchOf(refused)).toBe(cause)
  })

  it("nothing that a terminal would obey", () => {
    const hostile = "\u001b[2J\u202etxt\n"
    const { message } = error({ detail: hostile, path: `/${hostile}`, errors: { [hostile]: hostile } })
    // oxlint-disable-next-line no-control-regex
    expect(message).not.toMatch(/[\u0000-\u001f\u202e]/)
  })
})

describe("the address of the API", () => {
  const settings = (url: string) => ({
    url: new URL(url),
    node: NodeName.make("demo"),
    tokenId: TokenId.make("felhom-agent@pve!agent"),
    secret: Redacted.make("11111111-2222-3333-4444-555555555555")
  })
  const built = (url: string) =>
    ProxmoxConfig.ProxmoxConfig.pipe(Effect.provide(ProxmoxConfig.layer(settings(url))), Effect.either)

  it.effect("is an https origin", () =>
    Effect.gen(function*() {
      expect((yield* built("https://127.0.0.1:8006"))._tag).toBe("Right")
      for (const url of ["http://127.0.0.1:8006", "https://127.0.0.1:8006/api2", "https://a:b@127.0.0.1:8006"]) {
        expect((yield* built(url))._tag).toBe("Left")
      }
    }))

  it.effect("and the secret with it is checked without being shown", () =>
    Effect.gen(function*() {
      const broken = { ...settings("https://127.0.0.1:8006"), secret: Redacted.make("s3cr3t\r\nHost: elsewhere") }
      const result = yield* Effect.either(Effect.provide(ProxmoxConfig.ProxmoxConfig, ProxmoxConfig.layer(broken)))
      expect(result._tag).toBe("Left")
      expect(String(result._tag === "Left" ? result.left : "")).not.toContain("s3cr3t")
    }))
})
