import { describe, it } from "@effect/vitest"
import { displayText, displayTextWithin } from "@felhom/domain/DisplayText"
import * as fc from "effect/FastCheck"
import { expect } from "vitest"

describe("text from a guest", () => {
  it("can't command the terminal, nor turn around what stands beside it", () => {
    expect(displayText("a\u001b[2Jb\u0007\r\n\u009b31m\u007f")).toBe("a\\u001b[2Jb\\u0007\\r\\n\\u009b31m\\u007f")
    expect(displayText("evil\u202etxt.exe\u2066\u2028")).toBe("evil\\u202etxt.exe\\u2066\\u2028")
    expect(displayText("half \ud800 a letter")).toBe("half \ufffd a letter")
  })

  it("keeps letters of all scripts, emoji and markup as they are", () => {
    for (const text of ["<script>alert(1)</script>", "Ő és 日本語", "🦊 fox"]) expect(displayText(text)).toBe(text)
  })

  it("is cut between letters, not through them", () => {
    expect(displayTextWithin("🦊🦊🦊🦊", 3)).toBe("🦊🦊…")
    expect(displayTextWithin("short", 5)).toBe("short")
  })

  it("is always one line without a control character", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 50 }), (text) => {
        expect(displayText(text)).not.toMatch(/[\p{Cc}\p{Surrogate}\u2028\u2029\u202a-\u202e\u2066-\u2069]/u)
      }),
      { numRuns: 2000 }
    )
  })
})
