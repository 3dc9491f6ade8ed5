import fc from 'fast-check'
import {
  companyDomainOf,
  domainOf,
  normalizedCompanyName,
  normalizedRegistration,
} from '../../domain/companies.ts'

describe('the normalized name of a company', () => {
  test.each([
    ['Acme, Inc.', 'acme'],
    ['ACME  GmbH', 'acme'],
    ['acme', 'acme'],
    ['  Acme Ltd ', 'acme'],
    ['Acme LLC', 'acme'],
    ['Acme Limited', 'acme'],
    ['Acme Pty. Limited', 'acme'],
    ['The Acme Corporation', 'the acme'],
    ['Acme S.r.l.', 'acme'],
    ['Acme GmbH & Co. KG', 'acme'],
    ['Acme L.L.C.', 'acme'],
    ['Acme S.A.', 'acme'],
    ['Acme SA', 'acme'],
    ['Acme B.V.', 'acme'],
    ['Müller & Söhne AG', 'muller sohne'],
    ['Muller+Sohne ag', 'muller sohne'],
    ['Café_Co', 'cafe'],
    ['3M Corp', '3m'],
    ['株式会社アクメ', '株式会社アクメ'.normalize('NFKD')],
  ])('of "%s" is "%s"', (name, normalized) => {
    expect(normalizedCompanyName(name)).toBe(normalized)
  })

  test('keeps apart companies whose words only begin or end like a legal form', () => {
    for (const name of ['Agile', 'Incognito', 'Cosmos', 'Tesco', 'Visa', 'Plcnet', 'Øco']) {
      expect(normalizedCompanyName(name)).toBe(name.toLowerCase())
    }
  })

  test('is never empty for a name with a letter or a number, so that no two become twins', () => {
    expect(normalizedCompanyName('Co')).toBe('co')
    expect(normalizedCompanyName('SA')).toBe('sa')
    expect(normalizedCompanyName('AG Inc.')).toBe('ag inc')
  })

  test('is itself normalized, and blind to case, spaces and punctuation at the ends', () => {
    const names = fc.oneof(
      fc.string({ unit: 'grapheme', maxLength: 30 }),
      fc.constantFrom('Foo_co', 'a.b.c', 'In.c', 'x--SA', 'Łódź Sp. z o.o.'),
    )
    fc.assert(
      fc.property(names, (name) => {
        const normalized = normalizedCompanyName(name)
        expect(normalizedCompanyName(normalized)).toBe(normalized)
        expect(normalizedCompanyName(`  ${name} - `)).toBe(normalized)
      }),
      { numRuns: 500 },
    )
    fc.assert(
      fc.property(fc.stringMatching(/^x[a-z]{3,9}( [a-z]{1,9}){0,3}$/), (name) => {
        expect(normalizedCompanyName(name.toUpperCase())).toBe(normalizedCompanyName(name))
        expect(normalizedCompanyName(`${name}, Inc.`)).toBe(normalizedCompanyName(`${name} GmbH`))
      }),
      { numRuns: 300 },
    )
  })
})

describe('a registration number', () => {
  test.each([
    ['HRB 12345 B', 'HRB12345B'],
    ['hrb-12345/b', 'HRB12345B'],
    [' DE 123.456.789 ', 'DE123456789'],
    ['00123', '00123'],
    ['\uff11\uff12\uff13', '123'],
    ['№', 'NO'],
    [' - ', null],
  ])('"%s" is kept as %s', (number, normalized) => {
    expect(normalizedRegistration(number)).toBe(normalized)
  })

  test('is the same however it is spaced, and letters and digits alone', () => {
    fc.assert(
      fc.property(fc.array(fc.stringMatching(/^[A-Za-z0-9]{1,4}$/), { minLength: 1 }), (parts) => {
        const normalized = normalizedRegistration(parts.join(' - '))
        expect(normalized).toBe(normalizedRegistration(parts.join('.')))
        expect(normalized).toMatch(/^[A-Z0-9]+$/)
      }),
      { numRuns: 300 },
    )
  })
})

describe('the domain of an address', () => {
  test('is what stands after the last @, in small letters', () => {
    expect(domainOf('Ana@Omega.Example')).toBe('omega.example')
    expect(domainOf('"a@b"@omega.example')).toBe('omega.example')
  })

  test('tells of a company but where anybody has an address', () => {
    expect(companyDomainOf('ana@omega.example')).toBe('omega.example')
    for (const email of ['ana@gmail.com', 'ANA@GMX.DE', 'a@qq.com', 'a@Outlook.com']) {
      expect(companyDomainOf(email)).toBeNull()
    }
    expect(companyDomainOf('ana@mail.gmail.com.omega.example')).not.toBeNull()
  })
})
