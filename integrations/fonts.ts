/** The letters of our documents, read once for a process. */
import { createRequire } from 'node:module'
import PDFDocument from 'pdfkit'

const resolve = createRequire(import.meta.url).resolve

/** The standard fonts of PDF know no letters beyond Western Europe: names would be garbled. */
const files = {
  regular: resolve('dejavu-fonts-ttf/ttf/DejaVuSans.ttf'),
  bold: resolve('dejavu-fonts-ttf/ttf/DejaVuSans-Bold.ttf'),
}

export type FontName = keyof typeof files

/** A document that begins without a font: it would read one that none of ours uses. */
export const noFont = { font: null as unknown as string }

interface Glyph {
  id: number
  /** The letters that it stands for. */
  codePoints: number[]
}

/** Each number is a distance; pdfkit scales them in place. */
type Position = Record<string, number>

/** A word laid out: which glyphs stand where. */
interface Run {
  glyphs: Glyph[]
  positions: Position[]
}

interface ReadFont {
  layout(text: string, features?: unknown): Run
  getGlyph(id: number, codePoints: number[]): Glyph
}

interface SharedFont {
  read: ReadFont
  /** A word with glyphs of its own. */
  layOut(word: string): Run
}

const known = new Map<FontName, SharedFont>()

/** Through a document that nobody prints, because pdfkit has the reader of fonts. */
function readFont(name: FontName): ReadFont {
  const document = new PDFDocument({ ...noFont, autoFirstPage: false }).font(files[name])
  return (document as unknown as { _font: { font: ReadFont } })._font.font
}

/** Documents are made of the same words; names come and go. */
const mostWords = 5_000

function sharedFont(name: FontName): SharedFont {
  const read = readFont(name)
  const table: ReadFont & { _glyphs: object } = Object.create(read, {
    _glyphs: { value: {}, writable: true },
  })
  const words = new Map<string, Run>()
  return {
    read,
    layOut(word) {
      const before = words.get(word)
      if (before) return before
      if (words.size >= mostWords) words.clear()
      table._glyphs = {}
      const { glyphs, positions } = table.layout(word)
      const run = {
        glyphs: glyphs.map(({ id, codePoints }) => ({ id, codePoints })),
        positions: positions.map((position) => ({ ...position })),
      }
      words.set(word, run)
      return run
    },
  }
}

/**
 * The tables of a font, which take most of the time of a small document, are shared, and so is how
 * its words are laid out. Its glyphs are not: they remember for which letters they stood first, and
 * the same document shall always have the same bytes.
 */
export function fontForDocument(name: FontName): Buffer {
  const shared = known.get(name) ?? sharedFont(name)
  known.set(name, shared)
  const font: ReadFont = Object.create(shared.read, {
    _glyphs: { value: {} },
    layout: {
      value(text: string, features?: unknown) {
        if (features) return shared.read.layout.call(font, text, features)
        const { glyphs, positions } = shared.layOut(text)
        return {
          glyphs: glyphs.map(({ id, codePoints }) => font.getGlyph(id, codePoints)),
          positions: positions.map((position) => ({ ...position })),
          // Asked for once the positions are scaled.
          get advanceWidth() {
            return this.positions.reduce((sum, { xAdvance = 0 }) => sum + xAdvance, 0)
          },
        }
      },
    },
  })
  // pdfkit takes a font that was read as well; its types name only what is to be read.
  return font as unknown as Buffer
}
