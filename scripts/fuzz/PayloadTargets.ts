import { decodeSignedOp, opType } from "@felhom/domain/SignedOp"
import type { Target } from "./Target.ts"

const id = "0".repeat(32)

const common = {
  typ: opType,
  host: id,
  hostEpoch: id,
  nonce: id,
  iat: 1,
  nbf: 1,
  exp: 3_600_000,
  storeSeqMin: 0,
  reason: "why"
}

const documents = [
  { op: "hold.release", target: {}, expect: { since: 0 }, params: {} },
  {
    op: "snapshot.delete",
    target: { guest: { type: "lxc", vmid: 101 }, snapshot: "before" },
    expect: {
      identity: { hwaddrs: [], volumes: ["local:1/x"], smbiosUuid: null, key: null },
      configHash: "a".repeat(64),
      name: null,
      volumes: [{ volid: "local:1/x", size: 1 }],
      snapshots: [],
      takenAt: 1
    },
    params: {}
  }
]

/** What is read only once its signatures held: still by strangers, where a signer's tool or key is not their own. */
export const payloadTargets: ReadonlyArray<Target> = [
  {
    name: "signed op",
    seeds: documents.map((document) => new TextEncoder().encode(JSON.stringify({ ...common, ...document }))),
    read: decodeSignedOp,
    looksPerByte: undefined
  }
]
