import fc from 'fast-check'
import { subdomainFor } from '../../domain/provisioning.ts'

const dnsLabel = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/
const reserved = [
  'admin',
  'api',
  'app',
  'billing',
  'docs',
  'help',
  'mail',
  'status',
  'support',
  'www',
]

describe('the subdomain that a name suggests', () => {
  test.each([
    ['Acme', 'acme'],
    ['Acme, Inc.', 'acme-inc'],
    ['  Müller & Söhne  ', 'muller-sohne'],
    ['Café Zürich', 'cafe-zurich'],
    ['İstanbul', 'istanbul'],
    ['ﬁne ①', 'fine-1'],
    ['a_b--c', 'a-b-c'],
    ['---', 'partner'],
    ['株式会社', 'partner'],
    ['Привет', 'partner'],
    ['🚀', 'partner'],
    ['', 'partner'],
    ['xn--bcher-kva', 'xn-bcher-kva'],
    ['acme.tributary.app', 'acme-tributary-app'],
  ])('of "%s" is "%s"', (name, subdomain) => {
    expect(subdomainFor(name)).toBe(subdomain)
  })

  test.each(reserved)('is never the reserved word %s, however it is written', (word) => {
    for (const name of [word, word.toUpperCase(), ` ${word}! `]) {
      expect(subdomainFor(name)).toBe(`partner-${word}`)
      expect(subdomainFor(name, 2)).toBe(`partner-${word}-2`)
    }
  })

  test('may begin with a reserved word that goes on', () => {
    expect(subdomainFor('API Masters')).toBe('api-masters')
    expect(subdomainFor('Helpful')).toBe('helpful')
  })

  test('is cut to forty characters and does not end in a hyphen', () => {
    expect(subdomainFor('a'.repeat(80))).toBe('a'.repeat(40))
    expect(subdomainFor(`${'a'.repeat(39)} bcd`)).toBe('a'.repeat(39))
  })

  test('gets a number behind it from the second attempt on', () => {
    expect(subdomainFor('Acme', 1)).toBe('acme')
    expect(subdomainFor('Acme', 2)).toBe('acme-2')
    expect(subdomainFor('', 12)).toBe('partner-12')
    const attempts = Array.from({ length: 50 }, (_, n) => subdomainFor('Acme', n + 1))
    expect(new Set(attempts).size).toBe(50)
  })

  test('is a valid name in DNS and no reserved word, for every name and attempt', () => {
    const names = fc.oneof(
      fc.string({ unit: 'grapheme', maxLength: 120 }),
      fc.string({ unit: 'binary', maxLength: 60 }),
      fc.stringMatching(/^[-a-z0-9 ]{0,90}$/),
      fc.constantFrom(...reserved),
    )
    fc.assert(
      fc.property(names, fc.integer({ min: 1, max: 99_999 }), (name, attempt) => {
        const subdomain = subdomainFor(name, attempt)
        expect(subdomain).toMatch(dnsLabel)
        expect(subdomain).not.toMatch(/^xn--/)
        expect(reserved).not.toContain(subdomain)
      }),
      { numRuns: 2_000 },
    )
  })
})
