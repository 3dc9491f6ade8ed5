/** How alike two names are: what people write in many ways is the same name. */
import fc from 'fast-check'
import { indexNames, nameSimilarity, wordSimilarity, wordsOfName } from '../../domain/name-match.ts'

const word = fc.string({
  minLength: 1,
  maxLength: 12,
  unit: fc.constantFrom(...'abcdefghijklmnoprstuvyzäéßøжшлий'),
})
const name = fc.array(word, { minLength: 1, maxLength: 5 }).map((words) => words.join(' '))
const kind = fc.constantFrom('company' as const, 'person' as const)

describe('any two names', () => {
  test('are as alike in one direction as in the other, between 0 and 100', () => {
    fc.assert(
      fc.property(name, name, kind, (one, other, which) => {
        const score = nameSimilarity(one, other, which)
        expect(score).toBe(nameSimilarity(other, one, which))
        expect(Number.isInteger(score) && score >= 0 && score <= 100).toBe(true)
      }),
      { numRuns: 500 },
    )
  })

  test('are the same name at 100, in whatever order, case and punctuation', () => {
    fc.assert(
      fc.property(name, kind, fc.infiniteStream(fc.nat()), (text, which, numbers) => {
        const words = text.split(' ')
        const order = words.map((one) => ({ one, at: numbers.next().value ?? 0 }))
        const shuffled = order.sort((a, b) => a.at - b.at).map(({ one }) => one)
        expect(nameSimilarity(text, shuffled.join(', ').toUpperCase(), which)).toBe(100)
      }),
      { numRuns: 300 },
    )
  })

  test('are compared with a third alike, whatever the order of the words is', () => {
    fc.assert(
      fc.property(name, name, kind, (one, other, which) => {
        const turned = one.split(' ').reverse().join(' ')
        expect(nameSimilarity(turned, other, which)).toBe(nameSimilarity(one, other, which))
      }),
      { numRuns: 300 },
    )
  })

  test('are found in an index with the score that they have by themselves', () => {
    fc.assert(
      fc.property(
        fc.array(name, { minLength: 1, maxLength: 20 }),
        name,
        kind,
        (list, asked, which) => {
          const entries = list.map((one, entry) => ({ entry, names: [one] }))
          const found = indexNames(entries, which).find(asked, 60)
          const expected = list
            .map((one, entry) => ({ entry, score: nameSimilarity(one, asked, which) }))
            .filter(({ score }) => score >= 60)
          const sorted = (hits: typeof found) => [...hits].sort((a, b) => a.entry - b.entry)
          expect(sorted(found)).toEqual(expected)
        },
      ),
      { numRuns: 100 },
    )
  })
})

describe('the same company', () => {
  test.each([
    ['Obsidian Lantern Ltd.', 'OBSIDIAN LANTERN LIMITED'],
    ['Société Générale d’Étoiles S.A.', 'Societe Generale d Etoiles'],
    ['Müller & Söhne GmbH', 'Muller Sohne'],
    ['ООО Северный Ветер', 'Severnyi Veter OOO'],
    ['Łódź Handel Sp. z o.o.', 'Lodz Handel Sp z o o'],
    ['Αθήνα Ναυτιλία ΑΕ', 'Athina Naytilia AE'],
  ])('is %s and %s', (one, other) => {
    expect(nameSimilarity(one, other, 'company')).toBeGreaterThanOrEqual(90)
  })

  test('is found with a slip of the pen', () => {
    expect(nameSimilarity('Blackwater Sturgeon', 'Blackwater Sturgon', 'company')).toBeGreaterThan(
      90,
    )
    expect(
      nameSimilarity('Seahorse Shipping', 'Sea Horse Shipping', 'company'),
    ).toBeGreaterThanOrEqual(85)
  })

  test('is not every company of the trade', () => {
    expect(nameSimilarity('Harbor Web', 'Obsidian Lantern Shipping', 'company')).toBeLessThan(60)
    expect(nameSimilarity('Northwind Trading', 'Southgate Trading', 'company')).toBeLessThan(85)
  })
})

test('a person is the same with a title, and a name of nothing but forms stays one', () => {
  expect(nameSimilarity('Dr. Zoltarion Quexley', 'Quexley, Zoltarion', 'person')).toBe(100)
  expect(wordsOfName('The Co.', 'company')).toEqual(['co', 'the'])
  expect(nameSimilarity('!!!', '???', 'company')).toBe(0)
  expect(wordSimilarity('abc', 'xyz')).toBe(0)
})
