import { type MailContent, mails } from '../../integrations/email-templates/index.ts'
import { renderHtml, renderText } from '../../integrations/email-templates/layout.ts'
import { sampleFacts as facts } from '../../integrations/email-templates/samples.ts'

type Facts = typeof facts

const kinds = Object.keys(mails) as (keyof typeof mails)[]

/** The mail of this kind, written about these facts. */
function write(kind: keyof typeof mails, about: Facts = facts): MailContent {
  const template = mails[kind] as (about: Facts) => MailContent
  return template(about)
}

/** What a reader of the HTML sees, without the tags. */
function visible(html: string): string {
  const body = html.slice(html.indexOf('<body'))
  return body
    .replace(/<[^>]*>/g, '\n')
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&quot;', '"')
    .replaceAll('&#39;', "'")
    .replaceAll('&amp;', '&')
}

describe.each(kinds)('the mail %s', (kind) => {
  const content = write(kind)

  test('has a subject, greets by name and says something', () => {
    expect(content.subject.length).toBeGreaterThan(5)
    expect(content.greeting).toMatch(/^Hello (Ada Contact|Bob Approver|Eve Member),$/)
    expect(content.paragraphs.length).toBeGreaterThan(0)
    const all = [content.subject, renderText(content), renderHtml(content)].join('\n')
    expect(all).not.toMatch(/undefined|\[object|NaN|\$\{/)
  })

  test('says the same in both forms, and links to the same place', () => {
    const text = renderText(content)
    const html = renderHtml(content)
    for (const words of [content.greeting, ...content.paragraphs]) {
      expect(text).toContain(words)
      expect(visible(html)).toContain(words)
    }
    const links = [...html.matchAll(/href="([^"]+)"/g)].map(([, url]) => url)
    expect(links).toEqual(content.action ? [content.action.url] : [])
    if (content.action) {
      expect(text).toContain(`${content.action.label}: ${content.action.url}\n`)
      expect(visible(html)).toContain(content.action.label)
    }
  })

  test('lets no name or reason become markup', () => {
    const hostile = '"><img src=x onerror=alert(1)>&\'<b>'
    const texts = Object.entries(facts).map(([name, value]) =>
      typeof value === 'string' && name !== 'currency'
        ? [name, `${value}${hostile}`]
        : [name, value],
    )
    const html = renderHtml(write(kind, Object.fromEntries(texts) as Facts))
    expect(html).not.toContain('<img')
    expect(html).not.toContain('<b>')
    expect(html.match(/<a /g) ?? []).toHaveLength(content.action ? 1 : 0)
    expect(visible(html)).toContain(hostile)
    const plain = renderHtml(content)
    expect(html.match(/</g)?.length).toBe(plain.match(/</g)?.length)
  })
})

describe('what the mails promise', () => {
  test('a payout is told with its amount, its month and its statement', () => {
    const content = write('payoutSent')
    expect(content.subject).toBe('Your payout for 2026-10')
    expect(content.paragraphs.join(' ')).toContain('12,345.67 USD')
    expect(content.paragraphs.join(' ')).toContain('S-2026-10-0001')
    expect(content.paragraphs.join(' ')).toContain(`12:${'ab'.repeat(32)}`)
  })

  test('a rejection says the reason', () => {
    expect(write('applicationRejected').paragraphs).toContain('The reason: no such reason')
  })

  test('every step of an application that needs somebody leads there', () => {
    const urls = {
      applicationReceived: facts.statusUrl,
      agreementReminder: facts.statusUrl,
      verificationRequested: facts.verificationUrl,
      verificationReminder: facts.verificationUrl,
      decisionNeeded: facts.applicationUrl,
      invitation: facts.inviteUrl,
      welcome: facts.docsUrl,
    } as const
    for (const [kind, url] of Object.entries(urls)) {
      expect(write(kind as keyof typeof urls).action?.url).toBe(url)
    }
  })
})
