import { Console, type Effect } from "effect"

/** What somebody needs who goes on where the story ends. */
export interface Stage {
  readonly hub: { readonly url: string; readonly spki: string }
  readonly host: { readonly id: string; readonly node: string }
  /** What `felhom` reads from the environment, as an admin. */
  readonly environment: { readonly [name: string]: string }
  readonly token: string
  /** The operator's key; null where there is no ssh-keygen to sign with. */
  readonly key: string | null
  readonly guest: number
  /** Two, for the two ways to have one deleted. */
  readonly snapshots: readonly [string, string]
}

const exported = (variables: { readonly [name: string]: string }): string =>
  Object.entries(variables).map(([name, value]) => `  export ${name}='${value}'`).join("\n")

/** The pin as curl wants it. */
const curlPin = (spki: string): string =>
  Buffer.from(spki.replace(/^spki:/, "").replaceAll(":", ""), "hex").toString("base64")

const signing = ({ guest, host, hub, key, snapshots: [one, other], token }: Stage): string =>
  key === null ? "" : `
Somebody at the host made the snapshots ${one} and ${other} of lxc/${guest}. To delete one as the operator that the host knows:

  export FELHOM_SIGNING_KEY='${key}'
  node dist/felhom.js op snapshot.delete --host ${host.node} --guest lxc/${guest} --snapshot ${one} --reason "not needed" --wait

and the other without felhom, by what stands in docs/RUNBOOK-operations.md under "Without felhom", with these:

${
    exported({
      HUB: hub.url,
      PIN: curlPin(hub.spki),
      TOKEN: token,
      HOST: host.id,
      KEY: key,
      VMID: String(guest),
      SNAPSHOT: other
    })
  }
`

/** How to look around in the world of the story, and how to sign in it. */
export const lookAround = (stage: Stage): Effect.Effect<void> =>
  Console.log(`
All of it goes on running. To look around, in another terminal:

${exported(stage.environment)}
  node dist/felhom.js hosts
  node dist/felhom.js host ${stage.host.node}
${signing(stage)}
The hub's API is described at ${stage.hub.url}/docs. Ctrl-C ends everything and leaves nothing behind.`)
