/**
 * The text of an agreement, as versions of terms keep it: paragraphs apart by empty lines, headings
 * that begin with `# `, and placeholders in braces. `{commission}` stands alone and becomes what
 * the partner earns.
 */

/** What may stand within a paragraph or heading. */
export const placeholders = [
  'company',
  'country',
  'level',
  'type',
  'programme',
  'version',
  'effective_date',
  'date',
] as const
export type Placeholder = (typeof placeholders)[number]

export type AgreementValues = Record<Placeholder, string>

export type AgreementBlock =
  | { kind: 'heading' | 'paragraph'; text: string }
  | { kind: 'commission' }

const commission = '{commission}'

/** The parts of a text, with its placeholders as they are. */
export function agreementBlocks(body: string): AgreementBlock[] {
  return body
    .split(/\n[ \t]*\n/)
    .map((part) => part.trim().replaceAll(/\s*\n\s*/g, ' '))
    .filter((part) => part !== '')
    .map((part) => {
      if (part === commission) return { kind: 'commission' }
      if (part.startsWith('# ')) return { kind: 'heading', text: part.slice(2).trim() }
      return { kind: 'paragraph', text: part }
    })
}

const known = new Set<string>(placeholders)

/** What is wrong with a text, in sentences; empty where nothing is. */
export function agreementProblems(body: string): string[] {
  const blocks = agreementBlocks(body)
  const places = blocks.filter(({ kind }) => kind === 'commission').length
  const problems = blocks.flatMap((block) => {
    if (block.kind === 'commission') return []
    const named = [...block.text.matchAll(/\{([^{}]*)\}/g)].map(([, name = '']) => name)
    const unknown = named
      .filter((name) => !known.has(name))
      .map((name) =>
        name === 'commission'
          ? '{commission} stands alone, between empty lines'
          : `{${name}} is no placeholder: there are ${placeholders.join(', ')}, commission`,
      )
    const rest = block.text.replaceAll(/\{[^{}]*\}/g, '')
    return /[{}]/.test(rest) ? [...unknown, 'a brace has no partner'] : unknown
  })
  if (places !== 1) problems.push(`{commission} stands ${places} times in the text, not once`)
  return problems
}

/** A text with its placeholders filled in. Values are put in once: what they contain stays. */
export function filledText(text: string, values: AgreementValues): string {
  return text.replaceAll(/\{([a-z_]+)\}/g, (whole, name: string) =>
    known.has(name) ? values[name as Placeholder] : whole,
  )
}

/** What the hash of a version is made of. */
export const termsText = (terms: { version: string; title: string; body: string }) =>
  [terms.version, terms.title, terms.body].join('\n')
