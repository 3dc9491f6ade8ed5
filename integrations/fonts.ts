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

interface ReadFont {
  layout(text: string): unknown
}

const known = new Map<FontName, ReadFont>()

/** Through a document that nobody prints, because pdfkit has the reader of fonts. */
function readFont(name: FontName): ReadFont {
  const document = new PDFDocument({ ...noFont, autoFirstPage: false }).font(files[name])
  return (document as unknown as { _font: { font: ReadFont } })._font.font
}

/**
 * The tables of a font, which take most of the time of a small document, are shared. Its glyphs
 * are not: they remember for which letters they stood first, and the same document shall always
 * have the same bytes.
 */
export function fontForDocument(name: FontName): Buffer {
  const read = known.get(name) ?? readFont(name)
  known.set(name, read)
  // pdfkit takes a font that was read as well; its types name only what is to be read.
  return Object.create(read, { _glyphs: { value: {} } }) as Buffer
}
