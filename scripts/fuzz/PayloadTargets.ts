import { parsePolicy } from "@felhom/authz/PolicyDocument"
import { decodeDesired } from "@felhom/domain/DesiredDocument"
import { decodeSignedOp, opType } from "@felhom/domain/SignedOp"
import { decodeAttachedSigners, decodeSigners, encodeAttachedSigners } from "@felhom/domain/SignersDocument"
import { parseStrictJson } from "@felhom/domain/StrictJson"
import { parseUpid } from "@felhom/domain/Upid"
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

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const document = (value: object): Uint8Array => bytes(JSON.stringify(value))

const hash = "a".repeat(64)
const longest = 1024 * 1024

const policy = {
  typ: "felhom/policy/v1",
  signatures: { threshold: 2, thresholds: { "hold.release": 1 }, softwareKeys: false, verification: true }
}

const signersList = {
  typ: "felhom/signers/v1",
  fleet: id,
  version: 1,
  from: { allowedSigners: hash, revoked: hash },
  issued: 1,
  allowedSigners: "anna ssh-ed25519 AAAA\n",
  revoked: "",
  reason: "why"
}

const desired = {
  typ: "felhom/desired/v1",
  host: id,
  hostEpoch: id,
  epoch: id,
  version: 1,
  issued: 1,
  expires: 2,
  state: {
    guests: [{
      guest: { type: "lxc", identity: { hwaddrs: [], volumes: ["local:1/x"], smbiosUuid: null, key: null } },
      power: "running",
      cores: 2,
      tags: ["prod"],
      protection: true
    }]
  }
}

const text = new TextDecoder()

/** What is read only once its signatures held, or from a hub that signs nothing, or from Proxmox. */
export const payloadTargets: ReadonlyArray<Target> = [
  {
    name: "signed op",
    seeds: documents.map((one) => document({ ...common, ...one })),
    read: decodeSignedOp,
    looksPerByte: undefined
  },
  {
    name: "strict JSON",
    seeds: [...documents, policy, signersList, desired, [[[]], { a: "\\u00e9\\n" }]].map(document),
    read: (input, work) => parseStrictJson(input, longest, work),
    looksPerByte: 6
  },
  { name: "policy", seeds: [document(policy)], read: parsePolicy, looksPerByte: undefined },
  { name: "fleet's signers", seeds: [document(signersList)], read: decodeSigners, looksPerByte: undefined },
  {
    name: "attached signers",
    seeds: [encodeAttachedSigners({ payload: "e30K", signatures: ["-----BEGIN SSH SIGNATURE-----\n"] })],
    read: (input) => decodeAttachedSigners(input, longest),
    looksPerByte: undefined
  },
  { name: "desired state", seeds: [document(desired)], read: decodeDesired, looksPerByte: undefined },
  {
    name: "UPID",
    seeds: [
      "UPID:demo-felhom:000001D5:00064B2C:6B023662:vzsnapshot:9999:felhom-agent@pve!agent:",
      "UPID:n:0000C5CB:1FFFFFFFF:6B023662:imgdel:101@local:root@pam:",
      "UPID:a-b:00000001:00000002:00000003:startall::root@pam:"
    ].map(bytes),
    read: (input) => parseUpid(text.decode(input)),
    looksPerByte: undefined
  }
]
