import { describe, it } from "@effect/vitest"
import { agentPrivileges } from "@felhom/reconciler/Rights"
import { spawnSync } from "node:child_process"
import { join } from "node:path"
import { expect } from "vitest"

const run = (...args: ReadonlyArray<string>) =>
  spawnSync(join(import.meta.dirname, "../../../scripts/provision-token"), args, { encoding: "utf8" })

describe("scripts/provision-token", () => {
  it("gives the role exactly the privileges that the agent checks for, and the role to user and token", () => {
    const { status, stdout } = run()
    const [, listed = ""] = /--privs "([^"]*)"/.exec(stdout) ?? []
    expect(status).toBe(0)
    expect(listed.split(" ").toSorted()).toEqual([...agentPrivileges].toSorted())
    expect(agentPrivileges).toHaveLength(16)
    expect(stdout).toContain("pveum acl modify / --users 'felhom-agent@pve' --roles FelhomAgent")
    expect(stdout).toContain("pveum acl modify / --tokens 'felhom-agent@pve!agent' --roles FelhomAgent")
    expect(stdout).toContain("--privsep 1")
  })

  it("prints no name that a shell would take for more than a name", () => {
    for (
      const args of [["--user", "a;reboot@pve"], ["--token", "$(id)"], ["--role", "x y"], ["--user", "nobody"], [
        "--user"
      ], ["what"]]
    ) {
      const { status, stderr, stdout } = run(...args)
      expect([status, stdout], args.join(" ")).toEqual([2, ""])
      expect(stderr).toContain("provision-token: ")
    }
  })
})
