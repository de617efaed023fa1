import { readAllowedSigners } from "@felhom/authz/AllowedSigners"
import { readInnerSignature } from "@felhom/authz/InnerSignature"
import { readPublicKey } from "@felhom/authz/PublicKey"
import { readRevocationList } from "@felhom/authz/RevocationList"
import { readArmor, readParts, writeArmor } from "@felhom/domain/Sshsig"
import { Either } from "effect"
import { keyText, krlFile, krlOf, plainOddities, sshsigBlob } from "./Documents.ts"
import { everyKey } from "./SoftwareKey.ts"
import type { Target } from "./Target.ts"

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

/** The parsers that stand between a stranger's bytes and the right to destroy. */
export const signatureTargets = (): ReadonlyArray<Target> => {
  const keys = everyKey()
  const shape = { namespace: "op.v1@felhom.eu", version: 1, reserved: "", trailing: 0, odd: plainOddities }
  const blobs = keys.map((key, index) =>
    sshsigBlob(key, bytes("{}"), { ...shape, hash: index % 2 === 0 ? "sha512" : "sha256" })
  )
  const texts = keys.map(keyText).filter((text) => Either.isRight(readAllowedSigners(bytes(`a ${text}\n`))))
  return [
    {
      name: "armor",
      seeds: blobs.map((blob) => bytes(writeArmor(blob))),
      read: readArmor,
      looksPerByte: 2
    },
    {
      name: "blob",
      seeds: blobs,
      read: (input, work) =>
        Either.flatMap(
          readParts(input, work),
          ({ publicKey, signature }) =>
            Either.flatMap(readPublicKey(publicKey, work), (key) => readInnerSignature(key, signature, work))
        ),
      looksPerByte: 4
    },
    {
      name: "public key",
      seeds: keys.map(({ blob }) => blob),
      read: readPublicKey,
      looksPerByte: 2
    },
    {
      name: "allowed signers",
      seeds: [
        bytes(texts.map((text, index) => `signer-${index}@felhom.eu ${text} comment\n`).join("")),
        ...texts.map((text) => bytes(`# who\n\n*@felhom.eu,!eve@felhom.eu namespaces="op.*,x" ${text}\r\n`)),
        ...texts.map((text) => bytes(`a,b VALID-AFTER="20250101Z",valid-before="20270101120000Z" ${text}`))
      ],
      read: readAllowedSigners,
      looksPerByte: 5
    },
    {
      name: "revocation list",
      seeds: [
        ...keys.map((key) => bytes(`${keyText(key)} lost\n# why\n`)),
        ...(["keys", "sha1", "sha256"] as const).map((kind) =>
          krlFile({ sections: [krlOf(kind, keys)], flags: 0, comment: "of this year" })
        )
      ],
      read: readRevocationList,
      looksPerByte: 5
    }
  ]
}
