import { Effect } from "effect"
import * as AccessFormats from "../AccessFormats.ts"
import { ApiFailure, badParameters, died } from "../ApiFailure.ts"
import { isSet, required, textOf } from "../CallParameters.ts"
import type { Call, Endpoint, Json } from "../Endpoint.ts"
import * as Formats from "../Formats.ts"
import { randomUuid } from "../Machine.ts"
import { selfOrModify } from "../UserPermissions.ts"

const inPath = { userid: AccessFormats.userid, tokenid: AccessFormats.tokenName }

const told = { expire: Formats.integer(0), privsep: Formats.flag, comment: Formats.text() }

const idOf = (call: Call): string => `${required(call, "userid")}!${required(call, "tokenid")}`

const rowOf = (call: Call, name: string): { readonly [key: string]: Json } | undefined => {
  const found = call.machine.access.tokensOf(required(call, "userid")).find(([one]) => one === name)?.[1]
  return found === undefined
    ? undefined
    : { expire: found.expire, privsep: found.privsep, comment: found.comment }
}

const theRow = (call: Call) =>
  Effect.suspend(() => {
    const row = rowOf(call, required(call, "tokenid"))
    return row === undefined
      ? Effect.fail(died(`no such token '${required(call, "tokenid")}' for user '${required(call, "userid")}'`))
      : Effect.succeed(row)
  })

const list: Endpoint = {
  method: "GET",
  path: "/access/users/{userid}/token",
  permission: selfOrModify,
  protected: false,
  parameters: { userid: AccessFormats.userid },
  handle: (call) =>
    Effect.sync(() => ({
      data: call.machine.access.tokensOf(required(call, "userid"))
        .map(([tokenid]) => ({ tokenid, ...rowOf(call, tokenid) }))
    }))
}

const path = "/access/users/{userid}/token/{tokenid}"

const read: Endpoint = {
  method: "GET",
  path,
  permission: selfOrModify,
  protected: false,
  parameters: inPath,
  handle: (call) => Effect.map(theRow(call), (data) => ({ data }))
}

const create: Endpoint = {
  method: "POST",
  path,
  permission: selfOrModify,
  protected: true,
  parameters: { ...inPath, ...told },
  handle: (call) =>
    Effect.gen(function*() {
      if (rowOf(call, required(call, "tokenid")) !== undefined) {
        return yield* badParameters({ tokenid: "Token already exists." })
      }
      const value = yield* randomUuid
      const expire = textOf(call, "expire")
      const comment = textOf(call, "comment")
      call.machine.access.addToken(idOf(call), {
        privsep: textOf(call, "privsep") === "0" ? 0 : 1,
        expire: Number(expire ?? "0"),
        comment,
        secret: value
      })
      // What was given comes back as it came, as text; the default is a number.
      return {
        data: {
          "full-tokenid": idOf(call),
          value,
          info: { privsep: textOf(call, "privsep") ?? 1, expire, comment }
        }
      }
    })
}

const update: Endpoint = {
  method: "PUT",
  path,
  permission: selfOrModify,
  protected: true,
  parameters: { ...inPath, ...told, regenerate: Formats.flag },
  handle: (call) =>
    Effect.gen(function*() {
      const before = yield* theRow(call)
      if (isSet(call, "regenerate")) {
        return yield* new ApiFailure({ status: 501, message: "pve-sim does not simulate a new secret for a token" })
      }
      const expire = textOf(call, "expire")
      const privsep = textOf(call, "privsep")
      const comment = textOf(call, "comment")
      call.machine.access.changeToken(idOf(call), {
        ...(expire === undefined ? {} : { expire: Number(expire) }),
        ...(privsep === undefined ? {} : { privsep: Number(privsep) }),
        ...(comment === undefined ? {} : { comment })
      })
      return {
        data: {
          privsep: privsep ?? before["privsep"],
          expire: expire ?? before["expire"],
          comment: comment ?? before["comment"]
        }
      }
    })
}

const remove: Endpoint = {
  method: "DELETE",
  path,
  permission: selfOrModify,
  protected: true,
  parameters: inPath,
  handle: (call) =>
    Effect.map(theRow(call), () => {
      call.machine.access.removeToken(idOf(call))
      return { data: null }
    })
}

/** API tokens of a user; a secret is shown once, when it is made (platform-facts 1.9). */
export const endpoints: ReadonlyArray<Endpoint> = [list, read, create, update, remove]
