import type { World } from "../World.ts"
import type { Recording, Scenario } from "./Recording.ts"
import { secretOf } from "./Replay.ts"
import { rootChanges } from "./RootCommand.ts"

const tokenIn = (authorization: string | undefined): string | undefined => {
  const [, id, user, name] = /PVEAPIToken=(([^!=\s]+)!([^=\s]+))=<\3-token-secret>$/.exec(authorization ?? "") ?? []
  return user === undefined || name === undefined ? undefined : id
}

/** Whether the real host let the token do or hold something. */
const isPowerful = ({ request, response }: Recording, tokenid: string): boolean =>
  Object.values(request.headers).some((value) => value.includes(`${tokenid}=`)) && response.status === 200 &&
  (request.method !== "GET" || (request.path.endsWith("/access/permissions") &&
    !/"data":\{\}/.test(JSON.stringify(response.body_json))))

/**
 * The scenario's world with the tokens that the real host let in though neither the world nor a note names them: whoever
 * recorded it made them on the way. They are separated from their users' rights, as tokens are unless told otherwise, but for one that no
 * entry of the ACL names and that was let do something.
 */
export const worldWithTokens = ({ outOfBand, recordings, world }: Scenario): World => {
  const changes = outOfBand.flatMap((note) => rootChanges(note, secretOf).changes.map(({ change }) => change))
  const made = changes.flatMap((change) => change._tag === "token.add" ? [change.tokenid] : [])
  const inAcl = new Set([
    ...world.acl.map(({ ugid }) => ugid),
    ...changes.flatMap((change) => change._tag === "acl.add" ? [change.entry.ugid] : [])
  ])
  const known = new Set([...world.tokens.map(({ tokenid }) => tokenid), ...made])
  const letIn = new Set(recordings.flatMap(({ request, response }) => {
    const header = Object.entries(request.headers).find(([name]) => name.toLowerCase() === "authorization")?.[1]
    const tokenid = tokenIn(header)
    return tokenid === undefined || known.has(tokenid) || response.status === 401 ? [] : [tokenid]
  }))
  const users = new Set(Array.from(letIn, (tokenid) => tokenid.split("!")[0] ?? ""))
  for (const { userid } of world.users) users.delete(userid)
  return {
    ...world,
    users: [...world.users, ...Array.from(users, (userid) => ({ userid, enable: 1, expire: 0 }))],
    tokens: [
      ...world.tokens,
      ...Array.from(letIn, (tokenid) => ({
        tokenid,
        privsep: !inAcl.has(tokenid) && recordings.some((one) => isPowerful(one, tokenid)) ? 0 : 1,
        expire: 0
      }))
    ]
  }
}
