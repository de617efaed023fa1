import { Effect } from "effect"
import * as AccessFormats from "../AccessFormats.ts"
import { died } from "../ApiFailure.ts"
import { required, textOf } from "../CallParameters.ts"
import { all, anyOf, anyone, type Call, type Endpoint, may } from "../Endpoint.ts"
import * as Formats from "../Formats.ts"

const mayChange = all("/access/groups", "Group.Allocate")

const found = (call: Call, prefix = "") => {
  const groupid = required(call, "groupid")
  const group = call.machine.access.groups.get(groupid)
  return group === undefined
    ? Effect.fail(died(`${prefix}group '${groupid}' does not exist`))
    : Effect.succeed({ groupid, ...group })
}

const list: Endpoint = {
  method: "GET",
  path: "/access/groups",
  permission: anyone,
  protected: false,
  parameters: {},
  handle: (call) =>
    Effect.sync(() => ({
      data: Array.from(call.machine.access.groups)
        .filter(([groupid]) =>
          ["User.Modify", "Sys.Audit", "Group.Allocate"].some((name) => may(call, `/access/groups/${groupid}`, name))
        )
        .map(([groupid, { comment, users }]) => ({ groupid, comment, users: Array.from(users).toSorted().join(",") }))
    }))
}

const read: Endpoint = {
  method: "GET",
  path: "/access/groups/{groupid}",
  permission: anyOf("/access/groups", "Sys.Audit", "Group.Allocate"),
  protected: false,
  parameters: { groupid: AccessFormats.groupid },
  handle: (call) => Effect.map(found(call), ({ comment, users }) => ({ data: { comment, members: Array.from(users) } }))
}

const create: Endpoint = {
  method: "POST",
  path: "/access/groups",
  permission: mayChange,
  protected: true,
  parameters: { groupid: AccessFormats.groupid, comment: Formats.text() },
  handle: (call) =>
    Effect.gen(function*() {
      const groupid = required(call, "groupid")
      const { access } = call.machine
      if (access.groups.has(groupid)) return yield* died(`create group failed: group '${groupid}' already exists`)
      access.setGroup(groupid, { comment: textOf(call, "comment"), users: new Set() })
      return { data: null }
    })
}

const update: Endpoint = {
  method: "PUT",
  path: "/access/groups/{groupid}",
  permission: mayChange,
  protected: true,
  parameters: { groupid: AccessFormats.groupid, comment: Formats.text() },
  handle: (call) =>
    Effect.map(found(call, "update group failed: "), ({ comment, groupid, users }) => {
      call.machine.access.setGroup(groupid, { comment: textOf(call, "comment") ?? comment, users })
      return { data: null }
    })
}

const remove: Endpoint = {
  method: "DELETE",
  path: "/access/groups/{groupid}",
  permission: mayChange,
  protected: true,
  parameters: { groupid: AccessFormats.groupid },
  handle: (call) =>
    Effect.map(found(call, "delete group failed: "), ({ groupid }) => {
      call.machine.access.removeGroup(groupid)
      return { data: null }
    })
}

/** Groups of users. */
export const endpoints: ReadonlyArray<Endpoint> = [list, read, create, update, remove]
