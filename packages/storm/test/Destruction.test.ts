import { describe, expect, it } from "@effect/vitest"
import { destructionOf } from "@felhom/storm/Destruction"

const of = (method: string, path: string, parameters: { readonly [name: string]: string } = {}) => {
  const found = destructionOf({
    method,
    path,
    parameters: new Map(Object.entries(parameters)),
    headers: {},
    sentAt: 0
  })
  return found === undefined ? undefined : `${found.op} ${found.target}`
}

describe("what a request would destroy", () => {
  it("is told from its path", () => {
    expect(of("DELETE", "/nodes/home/lxc/101")).toBe("guest.destroy lxc/101")
    expect(of("DELETE", "/nodes/home/qemu/200/snapshot/before")).toBe("snapshot.delete qemu/200 before")
    expect(of("POST", "/nodes/home/lxc/101/snapshot/before/rollback")).toBe("guest.rollback lxc/101 before")
    expect(of("POST", "/nodes/home/lxc/101/status/stop")).toBe("guest.stop_hard lxc/101")
    expect(of("POST", "/nodes/home/lxc/101/status/reboot")).toBe("guest.stop_hard lxc/101")
    expect(of("DELETE", "/nodes/home/storage/local/content/local:backup/a.tar.zst")).toBe(
      "backup.delete local:backup/a.tar.zst"
    )
    expect(of("DELETE", "/nodes/home/storage/local/content/local:101/vm-101-disk-0.raw")).toBe(
      "volume.delete local:101/vm-101-disk-0.raw"
    )
    expect(of("DELETE", "/storage/local")).toBe("storage.remove local")
  })

  it("is told from its parameters", () => {
    expect(of("POST", "/nodes/home/lxc/101/status/shutdown", { forceStop: "1" })).toBe("guest.stop_hard lxc/101")
    expect(of("POST", "/nodes/home/lxc", { vmid: "101", force: "1" })).toBe("guest.restore_over lxc/101")
    expect(of("PUT", "/nodes/home/lxc/101/config", { protection: "0" })).toBe("config.other lxc/101 ")
    expect(of("PUT", "/nodes/home/lxc/101/config", { delete: "protection" })).toBe("config.other lxc/101 protection")
    expect(of("PUT", "/nodes/home/lxc/101/config", { delete: "mp0" })).toBe("config.other lxc/101 mp0")
    expect(of("POST", "/nodes/home/vzdump", { vmid: "101" })).toBe("backup.prune /nodes/home/vzdump")
    expect(of("PUT", "/nodes/home/storage/local/content/local:backup/a", { protected: "0" })).toBe(
      "backup.unprotect local:backup/a"
    )
  })

  it("is nothing for what only looks, starts, shuts down politely or sets what may be set", () => {
    expect(of("GET", "/nodes/home/lxc/101/config")).toBeUndefined()
    expect(of("POST", "/nodes/home/lxc/101/status/start")).toBeUndefined()
    expect(of("POST", "/nodes/home/lxc/101/status/shutdown", { timeout: "60" })).toBeUndefined()
    expect(of("PUT", "/nodes/home/lxc/101/config", { memory: "512", digest: "0" })).toBeUndefined()
    expect(of("PUT", "/nodes/home/lxc/101/config", { delete: "description,tags" })).toBeUndefined()
    expect(of("POST", "/nodes/home/lxc", { vmid: "105", ostemplate: "a" })).toBeUndefined()
    expect(of("POST", "/nodes/home/vzdump", { vmid: "101", remove: "0" })).toBeUndefined()
  })
})
