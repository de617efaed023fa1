import { describe, it } from "@effect/vitest"
import { nearest } from "@felhom/operator/desired/Nearest"
import { wishFileJsonSchema } from "@felhom/operator/desired/WishSchema"
import { readWish } from "@felhom/operator/desired/WishText"
import { Either } from "effect"
import { expect } from "vitest"

const told = (text: string): ReadonlyArray<string> =>
  Either.match(readWish("attic.yaml", text), {
    onLeft: (problems) => problems.map(({ column, line, what }) => `${line}:${column} ${what}`),
    onRight: () => ["it is taken"]
  })

const wished = (text: string) => Either.getOrThrow(Either.map(readWish("attic.yaml", text), ({ wish }) => wish))

describe("a file of wishes", () => {
  it("is YAML or JSON, with sizes and times as people write them", () => {
    const expected = {
      host: "attic",
      goodFor: 36 * 3600,
      guests: {
        blog: { power: "running", memory: 2048, swap: 512, volumes: { rootfs: 20, mp0: 1024 }, tags: ["prod"] },
        "101": { onboot: true }
      }
    }
    expect(wished(`host: attic
goodFor: 36h
guests:
  blog:
    power: running
    memory: 2 GiB
    swap: 512
    volumes: { rootfs: 20 GiB, mp0: 1 TiB }
    tags: [prod]
  101: { onboot: true }
`)).toEqual(expected)
    expect(wished(`{
\t"host": "attic", "goodFor": "36h",
\t"guests": {
\t\t"blog": {"power": "running", "memory": "2GiB", "swap": "512 MiB", "volumes": {"rootfs": "20480 MiB", "mp0": 1024},
\t\t\t"tags": ["prod"]},
\t\t"101": {"onboot": true}
\t}
}`)).toEqual(expected)
  })

  it("is told of all that is wrong with it at once, each with its line and column", () => {
    expect(told(`host: attic
guests:
  blog:
    corez: 2
    memory: 2GB
    cores: "2"
    power: on
    nets: { eth0: {}, net0: { tag: 9999 } }
    volumes:
      rootfs: 0.0005 GiB
    make: { image: debian-13 }
  wiki:
`)).toEqual([
      "4:5 guests.blog.corez: \"corez\" is not known here; is cores meant?",
      "5:5 guests.blog.memory: a size is a number of MiB, or one with MiB, GiB or TiB behind it, such as 512 MiB or 2 GiB; from 16 to 67108864 MiB, and no fractions of it",
      "6:5 guests.blog.cores: expected number, found \"2\"",
      "7:5 guests.blog.power: expected \"running\" or \"stopped\", found \"on\"",
      "8:13 guests.blog.nets.eth0: \"eth0\" is none: a network card is net0 to net31",
      "8:31 guests.blog.nets.net0.tag: expected a number between 1 and 4094, found 9999",
      "10:7 guests.blog.volumes.rootfs: a size is a number of GiB, or one with MiB, GiB or TiB behind it, such as 20 GiB or 1 TiB; from 1 to 1048576 GiB, and no fractions of it",
      "11:5 guests.blog.make.storage: storage is missing",
      "11:5 guests.blog.make.key: key is missing",
      "12:3 guests.wiki: what is wished for a guest stands under its name, such as power: running"
    ])
  })

  it("that is empty, of another kind, or says its hosts twice or not at all, is refused", () => {
    const empty = "1:1 it is empty: it says for which host it is, and what its guests should be"
    expect(told("")).toEqual([empty])
    expect(told("# nothing yet\n")).toEqual([empty])
    expect(told("---\n")).toEqual([empty])
    expect(told("blog")).toEqual([expect.stringContaining("1:1 a file says for which host it is")])
    expect(told("- blog\n")).toEqual([expect.stringContaining("1:1 a file says for which host it is")])
    const once = "1:1 it names its hosts once: host: NAME, or hosts: [NAME, PATTERN, ...]"
    expect(told("host: attic\nhosts: [attic]\nguests: {}\n")).toEqual([once])
    expect(told("guests: {}\n")).toEqual([once])
    expect(told("host: attic\nguests: {}\ngoodFor: 30m\n")).toEqual([
      "3:1 goodFor: goodFor is such as 36h or 7d: an hour at least, and 90 days at most"
    ])
    expect(told("host: attic\n---\nhost: cellar\n")).toEqual([
      "2:1 one file holds one document: put what follows into a file of its own"
    ])
  })

  it("with a key twice, or a tab for an indent, is refused at the very place", () => {
    expect(told("host: attic\nguests:\n  blog: {}\n  blog: {}\n")).toEqual(["4:3 this key stands there twice"])
    expect(told("{\"host\": \"attic\", \"host\": \"cellar\", \"guests\": {}}")).toEqual([
      "1:19 this key stands there twice"
    ])
    expect(told("host: attic\nguests:\n\tblog: {}\n")).toEqual(["3:1 a tab can't indent YAML: use spaces"])
  })

  it("can't stand for more than what is written in it", () => {
    const bomb = [
      "a: &a [x, x]",
      ...Array.from("bcdefghij", (name, index) => {
        const before = "abcdefghij"[index]
        return `${name}: &${name} [${Array.from({ length: 9 }, () => `*${before}`).join(", ")}]`
      })
    ].join("\n")
    const lines = told(bomb)
    expect(lines[0]).toBe("2:8 *a: write it out; what stands elsewhere (&, *) is not taken here")
    expect(lines).toHaveLength(50)
    expect(told("host: attic\nguests: {}\n<<: *there\n")).toEqual([expect.stringContaining("3:5 *there")])
    expect(told("host: !!js/function attic\nguests: {}\n")).toEqual([expect.stringContaining("1:7 Unresolved tag")])
    expect(told("? { a: b }\n: c\n")).toEqual([expect.stringContaining("1:3 With stringKeys")])
  })

  it("that is nested without end, or endless itself, ends nothing but its own reading", () => {
    for (const part of ["[", "{a: ", "- ", "? ", "[{a: ["]) {
      expect(told(part.repeat(100_000))).toEqual([expect.stringMatching(/^1:\d+ it is nested deeper than 32$/)])
    }
    const stairs = Array.from({ length: 1000 }, (_, depth) => `${" ".repeat(depth)}a:`).join("\n")
    expect(told(stairs)).toEqual([expect.stringMatching(/^3[23]:\d+ it is nested deeper than 32$/)])
    expect(told(`# ${"x".repeat(1024 * 1024)}`)).toEqual(["1:1 it is longer than 1048576 bytes"])
    // What merely looks like it is none.
    expect(told(`host: attic\nguests: {blog: {description: "${"[{".repeat(100)}"}}\n`)).toEqual(["it is taken"])
    const text = Array.from({ length: 40 }, (_, depth) => `${" ".repeat(6 + depth)}- [x`).join("\n")
    expect(told(`host: attic\nguests:\n  blog:\n    description: |\n${text}\n`)).toEqual(["it is taken"])
  })

  it("is described for editors by the schema that reads it", () => {
    expect(wishFileJsonSchema).toMatchObject({
      $schema: "http://json-schema.org/draft-07/schema#",
      additionalProperties: false,
      oneOf: [{ required: ["host"] }, { required: ["hosts"] }],
      properties: {
        guests: {
          additionalProperties: {
            additionalProperties: false,
            properties: {
              power: { enum: ["running", "stopped"], description: expect.stringContaining("asked to shut down") },
              // A range beside a reference would count for nothing.
              cores: { allOf: [{ type: "integer", minimum: 1, maximum: 8192 }], description: "Processor cores" },
              memory: { anyOf: [{ type: "number" }, { type: "string", pattern: expect.any(String) }] }
            }
          }
        }
      }
    })
    expect(JSON.stringify(wishFileJsonSchema)).not.toContain("$ref")
    const undescribed: Array<string> = []
    const walk = (schema: unknown, path: string): void => {
      if (typeof schema !== "object" || schema === null) return
      const properties = "properties" in schema && typeof schema.properties === "object" ? schema.properties : null
      for (const [name, inner] of Object.entries(properties ?? {})) {
        const said = typeof inner === "object" && inner !== null && "description" in inner ? inner.description : ""
        if (typeof said !== "string" || !/^[A-Z`]|^(?:true|running):/.test(said)) undescribed.push(`${path}${name}`)
        walk(inner, `${path}${name}.`)
      }
      for (const part of ["additionalProperties", "patternProperties"] as const) {
        if (!(part in schema)) continue
        const inner: unknown = Object.getOwnPropertyDescriptor(schema, part)?.value
        walk(inner, path)
        if (part === "patternProperties" && typeof inner === "object") {
          Object.values(inner ?? {}).forEach((one) => walk(one, path))
        }
      }
    }
    walk(wishFileJsonSchema, "")
    expect(undescribed).toEqual([])
  })

  it("is told what was meant where a word is nearly right, and nothing where none is", () => {
    const words = ["cores", "cpulimit", "memory", "onboot"]
    expect(nearest("corse", words)).toBe("cores")
    expect(nearest("Memory", words)).toBe("memory")
    expect(nearest("cpu_limit", words)).toBe("cpulimit")
    expect(nearest("ports", words)).toBeUndefined()
    expect(nearest("x".repeat(1e6), words)).toBeUndefined()
  })
})
