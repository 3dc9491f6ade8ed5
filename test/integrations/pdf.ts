/** Reads what a PDF of pdfkit shows, so that a test sees letters and not only bytes. */
import { inflateSync } from 'node:zlib'

interface PdfObject {
  id: string
  head: string
  stream: Buffer | null
}

function objectsOf(pdf: Buffer): PdfObject[] {
  const text = pdf.toString('latin1')
  return [...text.matchAll(/(\d+) 0 obj\n([\s\S]*?)\nendobj/g)].map(([, id = '', body = '']) => {
    const at = body.indexOf('stream\n')
    if (at < 0) return { id, head: body, stream: null }
    const head = body.slice(0, at)
    const length = Number(/\/Length (\d+)/.exec(head)?.[1])
    const from = at + 'stream\n'.length
    const bytes = Buffer.from(body.slice(from, from + length), 'latin1')
    return { id, head, stream: head.includes('/FlateDecode') ? inflateSync(bytes) : bytes }
  })
}

type Letters = Map<number, string>

function utf16(hex: string): string {
  return Buffer.from(hex.replaceAll(' ', ''), 'hex').swap16().toString('utf16le')
}

/** Which letters the glyphs of a font stand for, as its ToUnicode table says. */
function lettersOf(table: string): Letters {
  const letters: Letters = new Map()
  for (const [, range = ''] of table.matchAll(/beginbfrange\n([\s\S]*?)\nendbfrange/g)) {
    for (const [, first = '', list = ''] of range.matchAll(/<(\w+)> <\w+> \[([^\]]*)\]/g)) {
      // A ligature stands for several letters, with spaces between them.
      const codes = [...list.matchAll(/<([\w ]*)>/g)]
      for (const [i, [, code = '']] of codes.entries()) {
        letters.set(Number.parseInt(first, 16) + i, utf16(code))
      }
    }
  }
  return letters
}

/** Each font's name in the pages (`F1`), with its letters. */
function fontsOf(objects: PdfObject[]): Map<string, Letters> {
  const byId = new Map(objects.map((object) => [object.id, object]))
  const fonts = new Map<string, Letters>()
  for (const { head } of objects) {
    for (const [, name = '', id = ''] of head.matchAll(/\/(F\d+) (\d+) 0 R/g)) {
      const table = /\/ToUnicode (\d+) 0 R/.exec(byId.get(id)?.head ?? '')?.[1]
      const stream = byId.get(table ?? '')?.stream
      if (stream) fonts.set(name, lettersOf(stream.toString('latin1')))
    }
  }
  return fonts
}

function textOfContent(content: string, fonts: Map<string, Letters>): string {
  let letters: Letters = new Map()
  let shown = ''
  const steps = /\/(F\d+) [\d.]+ Tf|\[([^\]]*)\] TJ|1 0 0 1 ([\d.]+) ([\d.]+) Tm/g
  for (const [, font, run] of content.matchAll(steps)) {
    if (font) letters = fonts.get(font) ?? new Map()
    else if (run === undefined) shown += '\n'
    for (const [, hex = ''] of (run ?? '').matchAll(/<(\w+)>/g)) {
      for (const [glyph] of hex.matchAll(/.{4}/g)) {
        shown += letters.get(Number.parseInt(glyph, 16)) ?? '\u{fffd}'
      }
    }
  }
  return shown
}

export interface ReadPdf {
  /** The text of each page; what has no letter shows as U+FFFD. */
  pages: string[]
  /** True where every font travels with the document. */
  fontsEmbedded: boolean
  info: string
}

export function readPdf(pdf: Buffer): ReadPdf {
  const objects = objectsOf(pdf)
  const fonts = fontsOf(objects)
  const byId = new Map(objects.map((object) => [object.id, object]))
  const pages = objects
    .filter(({ head }) => /\/Type \/Page\n/.test(head))
    .map(({ head }) => byId.get(/\/Contents (\d+) 0 R/.exec(head)?.[1] ?? ''))
    .map((content) => textOfContent(content?.stream?.toString('latin1') ?? '', fonts))
  const described = objects.filter(({ head }) => /\/Type \/FontDescriptor\n/.test(head))
  return {
    pages,
    fontsEmbedded: described.length > 0 && described.every(({ head }) => /FontFile2/.test(head)),
    info: objects.map(({ head }) => head).find((head) => head.includes('/Producer')) ?? '',
  }
}
