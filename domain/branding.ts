/** How a tenant may look: colors that can be read, style sheets that load nothing, real images. */

export const imageKinds = ['logo', 'favicon'] as const
export type ImageKind = (typeof imageKinds)[number]

export const imageTypes = ['image/png', 'image/jpeg', 'image/webp'] as const
export type ImageType = (typeof imageTypes)[number]

export const largestImage = 512 * 1024

/**
 * The type of an image by its first bytes, whatever its sender calls it; undefined for anything
 * else. SVG is none of them: it may carry scripts.
 */
export function imageTypeOf(bytes: Uint8Array): ImageType | undefined {
  const starts = (expected: number[], at = 0) =>
    expected.every((byte, index) => bytes[at + index] === byte)
  if (starts([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a])) return 'image/png'
  if (starts([0xff, 0xd8, 0xff])) return 'image/jpeg'
  const isRiff = starts([0x52, 0x49, 0x46, 0x46])
  return isRiff && starts([0x57, 0x45, 0x42, 0x50], 8) ? 'image/webp' : undefined
}

/** Relative luminance of `#rrggbb` (WCAG 2.2). */
function luminance(color: string): number {
  const [red = 0, green = 0, blue = 0] = [1, 3, 5].map((at) => {
    const share = Number.parseInt(color.slice(at, at + 2), 16) / 255
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4
  })
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue
}

/** From 1 (the same) to 21 (black on white). */
export function contrastOf(one: string, other: string): number {
  const [light = 0, dark = 0] = [luminance(one), luminance(other)].sort((a, b) => b - a)
  return (light + 0.05) / (dark + 0.05)
}

export interface Colors {
  primaryColor: string
  backgroundColor: string
  textColor: string
}

/** Text needs 4.5, and what one presses 3, against what is behind it (WCAG 2.2, AA). */
export function unreadable(colors: Colors): (keyof Colors)[] {
  const against = (color: string) => contrastOf(color, colors.backgroundColor)
  const faults: (keyof Colors)[] = []
  if (against(colors.textColor) < 4.5) faults.push('textColor')
  if (against(colors.primaryColor) < 3) faults.push('primaryColor')
  return faults
}

/** White or black, whichever is read better on a color; one of them always has more than 4.5. */
export function textOn(color: string): '#ffffff' | '#000000' {
  return contrastOf(color, '#ffffff') >= contrastOf(color, '#000000') ? '#ffffff' : '#000000'
}

export const longestCss = 20_000

/** What loads something from elsewhere, runs something, or leaves the style sheet. */
const forbiddenCss: [RegExp, string][] = [
  [/</, 'it may not contain <'],
  // Escapes would hide every other word of this list.
  [/\\/, 'it may not contain a backslash'],
  [/@(?!media\b)/i, 'of the rules with @ it may contain @media only'],
  [/url\s*\(|image-set\s*\(|src\s*\(|image\s*\(/i, 'it may not load anything: no url()'],
  [/expression\s*\(|javascript:|vbscript:|behavior\s*:|-moz-binding/i, 'it may not run anything'],
  [/position\s*:\s*(fixed|sticky)/i, 'it may not lay anything over the page: no position: fixed'],
]

/** What is wrong with a style sheet, in words; undefined for one that may be used. */
export function cssFault(css: string): string | undefined {
  // A comment in the middle of a word would hide it from the list.
  const bare = css.replaceAll(/\/\*[\s\S]*?\*\//g, '')
  if (bare.includes('/*')) return 'a comment is not closed'
  const found = forbiddenCss.find(([pattern]) => pattern.test(bare) || pattern.test(css))
  if (found) return found[1]
  let depth = 0
  for (const letter of bare) {
    if (letter === '{') depth += 1
    if (letter === '}') depth -= 1
    if (depth < 0) return 'a } closes nothing'
  }
  return depth === 0 ? undefined : 'a { is not closed'
}
