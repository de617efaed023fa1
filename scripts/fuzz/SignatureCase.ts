import { readArmor, writeArmor } from "@felhom/domain/Sshsig"
import { Either, FastCheck as fc } from "effect"
import { keyText, krlFile, krlOf, type KrlShape, plainOddities, sshsigBlob } from "./Documents.ts"
import { mutants } from "./Mutation.ts"
import type { SoftwareKey } from "./SoftwareKey.ts"

/** Everything that a verifier is given. */
export interface SignatureCase {
  /** Which kind of mutant it is. */
  readonly kind: string
  readonly signature: Uint8Array
  readonly signers: Uint8Array
  readonly revoked: Uint8Array | undefined
}

/** What is asked in every case. */
export const asked = {
  principal: "alice@felhom.eu",
  namespace: "op.v1@felhom.eu",
  time: "20260601120000Z",
  message: new TextEncoder().encode(`{"typ":"felhom/op/v1"}\n`)
} as const

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

const goodShape = {
  namespace: asked.namespace,
  hash: "sha512",
  version: 1,
  reserved: "",
  trailing: 0,
  odd: plainOddities
} as const

const signed = (key: SoftwareKey): Uint8Array => bytes(writeArmor(sshsigBlob(key, asked.message, goodShape)))

const line = (key: SoftwareKey): string => `${asked.principal} ${keyText(key)}\n`

const rearmored = (blob: Uint8Array): Uint8Array => bytes(writeArmor(blob))

/** Mostly what is usual, else one of the others. */
const mostly = <A>(usual: A, ...others: ReadonlyArray<A>): fc.Arbitrary<A> =>
  fc.oneof({ weight: 6, arbitrary: fc.constant(usual) }, fc.constantFrom(...others))

const shapes = fc.record({
  namespace: mostly(asked.namespace, "file", "*", `${asked.namespace}\0`, `\ufeff${asked.namespace}`, ""),
  hash: mostly<string>("sha512", "sha256", "sha1", "SHA512", "", "\ufeffsha512", "sha512\0"),
  version: mostly(1, 0, 2, 0xffffffff),
  reserved: mostly("", "x", "\0"),
  trailing: mostly(0, 1),
  odd: fc.record({
    flags: mostly(1, 0, 4, 5, 0x41, 0x81),
    leadingZeros: mostly(0, 1),
    trailing: mostly(0, 1),
    rsaHash: fc.constantFrom<"sha256" | "sha512">("sha256", "sha512")
  })
})

const principals = mostly(
  asked.principal,
  "*",
  "*@felhom.eu",
  "alic?@felhom.eu",
  "bob,alice@felhom.eu",
  "*,!alice@felhom.eu",
  "!bob",
  "ALICE@felhom.eu",
  "",
  "\"alice@felhom.eu\"",
  "alice@felhom.eu,",
  ",alice@felhom.eu",
  `${"a*".repeat(600)},*`,
  "**@**"
)

const quotedTime = fc.constantFrom(
  "20250101Z",
  "20270101Z",
  "202606011200Z",
  "20260601120000Z",
  "20260601120001Z",
  "20260601115959Z",
  "20270101",
  "20270101z",
  "20270101UTC",
  "20270230Z",
  "20270101246000Z",
  "20261231235960Z",
  "19700101Z",
  "00990101Z",
  " 20270101Z",
  "20270101Z ",
  "20270101 Z",
  ""
)

const namespaces = fc.constantFrom(
  asked.namespace,
  "op.*",
  "*",
  "file",
  "file,op.v1@felhom.eu",
  "*,!op.*",
  "!file",
  "",
  "OP.V1@FELHOM.EU",
  `op.v1@felhom.eu\\"`,
  "op.v1@felhom.eu\\",
  " op.v1@felhom.eu",
  "op.v1@felhom.eu "
)

const oneOption = fc.oneof(
  namespaces.map((text) => `namespaces="${text}"`),
  fc.tuple(fc.constantFrom("valid-after", "valid-before", "VALID-BEFORE"), quotedTime).map(([name, time]) =>
    `${name}="${time}"`
  ),
  fc.constantFrom("cert-authority", "no-touch-required", "foo=\"x\"", "valid-after=20250101Z", "namespaces", "\"", "")
)

/** A line that is right but for what one or two options make of it. */
const optionsAlone = (key: SoftwareKey) =>
  fc.array(oneOption, { minLength: 1, maxLength: 2 }).map((list) =>
    bytes(`${asked.principal} ${list.join(",")} ${keyText(key)}\n`)
  )

const optionList = fc.oneof(
  { weight: 2, arbitrary: fc.constant("") },
  fc.array(oneOption, { minLength: 1, maxLength: 3 }).chain((list) =>
    mostly(",", ", ", " ,", ",,").map((comma) => `${list.join(comma)} `)
  )
)

/** Lines of an allow-list, put together from parts that are right or nearly so. */
const signerLines = (keys: ReadonlyArray<SoftwareKey>) =>
  fc.array(
    fc.record({
      before: mostly("", " ", "\t", "#", "\ufeff"),
      principals,
      gap: mostly(" ", "\t", "  ", "\r", "\u000b", ","),
      options: optionList,
      key: fc.constantFrom(...keys).map(keyText),
      text: mostly<(text: string) => string>(
        (text) => text,
        (text) => text.replace(" ", "\t"),
        (text) => text.replace("ssh-", "SSH-"),
        (text) => `${text}=`,
        (text) => text.replace(/=+$/, ""),
        (text) => text.replace(/^\S+/, "ssh-rsa"),
        (text) => text.slice(0, -4)
      ),
      after: mostly("\n", "\r\n", " comment\n", "\n\n", "\0\n", "", " \r\n")
    }).map(({ after, before, gap, key, options, principals, text }) =>
      `${before}${principals}${gap}${options}${text(key)}${after}`
    ),
    { minLength: 1, maxLength: 3 }
  ).map((lines) => bytes(lines.join("")))

const krls = (keys: ReadonlyArray<SoftwareKey>): fc.Arbitrary<Uint8Array> => {
  const section: fc.Arbitrary<KrlShape["sections"][number]> = fc.oneof(
    {
      weight: 6,
      arbitrary: fc.tuple(fc.constantFrom<"keys" | "sha1" | "sha256">("keys", "sha1", "sha256"), fc.subarray([...keys]))
        .map(([kind, some]) => krlOf(kind, some))
    },
    fc.record({
      kind: fc.constantFrom(0, 1, 2, 3, 4, 5, 6, 255),
      entries: fc.array(fc.uint8Array({ maxLength: 32 }), { maxLength: 2 })
    })
  )
  return fc.record({
    sections: fc.array(section, { maxLength: 3 }),
    flags: mostly(0, 1),
    comment: mostly("", "why", "\0")
  }).map(krlFile)
}

const revocationTexts = (keys: ReadonlyArray<SoftwareKey>) =>
  fc.array(
    fc.record({
      before: mostly("", " ", "\t", "#", "\r", "\u000b"),
      text: mostly<string | undefined>(undefined, "", "ssh-rsa", "garbage"),
      key: fc.constantFrom(...keys).map(keyText),
      after: mostly("\n", "\r\n", " lost\n", "\n\n", "\n\r\n", "\0\n", "\n \t\n", "")
    }).map(({ after, before, key, text }) => `${before}${text ?? key}${after}`),
    { maxLength: 3 }
  ).map((lines) => bytes(lines.join("")))

/** Every way in which a case can be odd, one at a time, about the signatures of all keys. */
export const signatureCases = (keys: ReadonlyArray<SoftwareKey>): fc.Arbitrary<SignatureCase> => {
  const [first, ...others] = keys
  if (first === undefined) throw new Error("there is no key to sign with")
  const usable = fc.constantFrom(...keys)
  const signatures = new Map(keys.map((key) => [key, signed(key)]))
  const good = (key: SoftwareKey): Omit<SignatureCase, "kind"> => ({
    signature: signatures.get(key) ?? new Uint8Array(),
    signers: bytes(line(key)),
    revoked: undefined
  })
  const varied = <A>(
    kind: string,
    odd: (key: SoftwareKey) => fc.Arbitrary<A>,
    change: (odd: A) => Partial<SignatureCase>
  ): fc.Arbitrary<SignatureCase> =>
    usable.chain((key) => odd(key).map((found) => ({ ...good(key), ...change(found), kind })))
  const signatureOf = (key: SoftwareKey): Uint8Array => good(key).signature
  const blobOf = (key: SoftwareKey): Uint8Array => Either.getOrThrow(readArmor(signatureOf(key)))
  return fc.oneof(
    varied("armor", (key) => mutants([signatureOf(key)], 2), (signature) => ({ signature })),
    varied("blob", (key) => mutants([blobOf(key)], 2), (blob) => ({ signature: rearmored(blob) })),
    varied("signed so", (key) => shapes.map((shape) => sshsigBlob(key, asked.message, shape)), (blob) => ({
      signature: rearmored(blob)
    })),
    varied("signers", (key) => mutants([bytes(line(key))], 2), (signers) => ({ signers })),
    varied("signer lines", (key) => signerLines([key, key, key, first]), (signers) => ({ signers })),
    varied("options", optionsAlone, (signers) => ({ signers })),
    varied("revocation text", (key) => revocationTexts([key, ...others]), (revoked) => ({ revoked })),
    varied("KRL", (key) => krls([key, first, ...others.slice(0, 2)]), (revoked) => ({ revoked })),
    varied(
      "KRL bytes",
      (key) =>
        mutants(
          (["keys", "sha1", "sha256"] as const).flatMap((kind) =>
            [[key], others.filter((other) => other !== key)].map((named) =>
              krlFile({ sections: [krlOf(kind, named)], flags: 0, comment: "" })
            )
          ),
          2
        ),
      (revoked) => ({ revoked })
    )
  )
}
