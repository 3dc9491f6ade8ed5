/** Screening by a list file and by a service, and above all what counts as no answer. */
import { appendFileSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readListRows } from '../../integrations/screening/list-rows.ts'
import { createScreening } from '../../integrations/screening/screening.ts'
import { type Kit, startKit } from '../sandbox/kit.ts'
import { vendorErrorOf } from './kit.ts'

const folder = mkdtempSync(join(tmpdir(), 'tributary-lists-'))
afterAll(() => rmSync(folder, { recursive: true }))

const header = 'id,name,kind,aliases,country,list'
const rows = [
  '1,"Obsidian Lantern, Shipping Ltd",company,OLS Maritime;Lantern Obsidian,PA,example',
  '2,Zoltarion Quexley,person,,,example',
  '3,Grey Heron,,,,other',
]
const asked = { name: 'Nobody', kind: 'company', country: 'US', threshold: 85 } as const

function listFile(name: string, lines = rows): string {
  const path = join(folder, name)
  writeFileSync(path, `${[header, ...lines].join('\n')}\n`)
  return path
}

describe('a list file', () => {
  test('finds names and aliases of the same kind, best first, with its own version', async () => {
    const screening = createScreening({ listFile: listFile('a.csv') })
    const found = await screening.screen({ ...asked, name: 'LANTERN OBSIDIAN limited' })
    expect(found).toEqual({
      provider: 'file',
      list: 'example,other',
      listVersion: expect.stringMatching(/^[0-9a-f]{64}$/),
      hits: [
        {
          list: 'example',
          entryId: '1',
          entryName: 'Obsidian Lantern, Shipping Ltd',
          programs: [],
          score: 100,
        },
      ],
    })
    expect(await screening.listVersion()).toBe(found.listVersion)
    expect((await screening.screen({ ...asked, name: 'Zoltarion Quexley' })).hits).toEqual([])
    const person = { ...asked, kind: 'person' as const }
    expect((await screening.screen({ ...person, name: 'Quexley, Zoltarion' })).hits).toHaveLength(1)
    for (const kind of ['company', 'person'] as const) {
      expect((await screening.screen({ ...asked, kind, name: 'Gray Heron' })).hits).toHaveLength(1)
    }
    expect((await screening.screen(asked)).hits).toEqual([])
  })

  test('is read again when it changes, and is another version then', async () => {
    const path = listFile('b.csv')
    const screening = createScreening({ listFile: path })
    const before = await screening.listVersion()
    appendFileSync(path, '4,Nobody,company,,,example\n')
    const found = await screening.screen(asked)
    expect(found.hits.map(({ entryId }) => entryId)).toEqual(['4'])
    expect(found.listVersion).not.toBe(before)
    renameSync(listFile('c.csv'), path)
    expect(await screening.listVersion()).toBe(before)
  })

  test('that is broken later clears nobody until it is mended', async () => {
    const path = listFile('d.csv')
    const screening = createScreening({ listFile: path })
    writeFileSync(path, `${header}\n`)
    const error = await vendorErrorOf(screening.screen(asked))
    expect(error).toMatchObject({ failure: 'unknown', code: 'list_unreadable' })
    rmSync(path)
    expect((await vendorErrorOf(screening.listVersion())).failure).toBe('unknown')
    listFile('d.csv')
    expect((await screening.screen(asked)).hits).toEqual([])
  })

  test.each([
    ['', 'line 1: the header'],
    ['id,name\n1,A\n', 'line 1: the header'],
    [`${header}\n`, 'line 2: there are no entries'],
    [`${header}\n1,A,company,,US\n`, 'line 2: has 5 fields'],
    [`${header}\n,A,company,,US,l\n`, 'line 2: id is empty'],
    [`${header}\n1,"?!",company,,US,l\n`, 'line 2: name has no letters'],
    [`${header}\n1,A,firm,,US,l\n`, 'line 2: kind is "firm"'],
    [`${header}\n1,A,company,,usa,l\n`, 'line 2: country is "usa"'],
    [`${header}\n1,A,company,,US,\n`, 'line 2: list is ""'],
    [`${header}\n1,A,company,,US,l\n1,B,company,,US,l\n`, 'line 3: the list l has 1 on line 2'],
    [`${header}\n1,"A\nB",company,,US,l\n2,C,x,,US,l\n`, 'line 4: kind is "x"'],
    [`${header}\n1,"A,company,,US,l\n`, 'line 2: a quote'],
    [`${header}\n1,A"B,company,,US,l\n`, 'line 2: a quote'],
  ])('is refused with the line: %j', (text, problem) => {
    expect(() => readListRows(text)).toThrow(problem)
  })

  test('may begin with a mark, end lines as Windows does, and quote what it likes', () => {
    const text = `\u{feff}${header}\r\n"1","A ""B"" C","company","x; ;y","US","l"\r\n\r\n`
    expect(readListRows(text)).toEqual([
      { id: '1', name: 'A "B" C', kind: 'company', aliases: ['x', 'y'], country: 'US', list: 'l' },
    ])
  })

  test('that is broken at the start stops the start', () => {
    const path = join(folder, 'broken.csv')
    writeFileSync(path, 'nothing')
    expect(() => createScreening({ listFile: path })).toThrow('line 1')
  })
})

test('without any list nothing is clear: there is no hit and no list', async () => {
  const none = createScreening({})
  expect(none.provider).toBe('none')
  expect(await none.screen(asked)).toMatchObject({ provider: 'none', hits: [] })
  expect(await none.listVersion()).toBe('none')
})

describe('a service', () => {
  let kit: Kit
  const screening = () => createScreening({ url: `${kit.sandbox.url}/watchman` })
  const fault = (kind: string, more: object = {}) =>
    kit.post('/faults', { vendor: 'watchman', kind, ...more })
  beforeAll(async () => {
    kit = await startKit()
  })
  afterEach(() => fetch(`${kit.sandbox.url}/_sandbox/faults`, { method: 'DELETE' }))
  afterAll(() => kit.stop())

  test('that has loaded no list has not cleared anybody', async () => {
    const error = await vendorErrorOf(screening().screen(asked))
    expect(error).toMatchObject({ vendor: 'screening', failure: 'unknown', code: 'no_lists' })
  })

  test('finds businesses, organisations and people, each among its own', async () => {
    const list = (name: string, type: string, program: string) =>
      kit.post('/listed-parties', { name, type, program })
    await list('Obsidian Lantern', 'business', 'SDGT')
    await list('Obsidian Lantern', 'organization', 'EX')
    await list('Obsidian Lantern', 'person', 'P')
    const found = await screening().screen({ ...asked, name: 'obsidian lantern' })
    expect(found).toMatchObject({ provider: 'watchman', list: 'us_ofac' })
    expect(found.hits.map(({ programs, score }) => [programs, score])).toEqual([
      [['SDGT'], 100],
      [['EX'], 100],
    ])
    expect((await screening().screen(asked)).hits).toEqual([])
    const person = { ...asked, kind: 'person' as const, name: 'Lantern Obsidian' }
    expect((await screening().screen(person)).hits).toHaveLength(1)
  })

  test('has another version when a list has changed, and the same while none has', async () => {
    const before = await screening().listVersion()
    expect(await screening().listVersion()).toBe(before)
    await kit.post('/listed-parties', { name: 'Grey Heron', type: 'business', list: 'eu_csl' })
    expect(await screening().listVersion()).not.toBe(before)
  })

  test.each([
    ['error_500', { failure: 'unknown', code: 'status_500' }],
    ['timeout_after_commit', { failure: 'unknown', code: 'no_answer' }],
    ['error_429', { failure: 'throttled', code: 'too_many_requests', retryAfterSeconds: 1 }],
  ])('that answers with %s is asked again later', async (kind, expected) => {
    await fault(kind, { path: '/watchman/v2/search' })
    const error = await vendorErrorOf(screening().screen({ ...asked, name: 'Secret Name' }))
    expect(error).toMatchObject(expected)
    expect(error.message).not.toContain('Secret')
  })

  describe('of another make', () => {
    let answers: Record<string, unknown>
    let server: Server
    const other = () =>
      createScreening({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/` })
    beforeAll(async () => {
      server = createServer((request, reply) => {
        const path = String(request.url).split('?')[0] ?? ''
        const answer = answers[path]
        reply.statusCode = answer === undefined ? 404 : 200
        reply.end(typeof answer === 'string' ? answer : JSON.stringify(answer ?? {}))
        if (path === '/v2/search')
          answers['/v2/listinfo'] = answers.later ?? answers['/v2/listinfo']
      })
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    })
    afterAll(() => new Promise((resolve) => server.close(resolve)))

    test.each([
      ['nothing', {}, 'status_404'],
      ['no JSON', { '/v2/listinfo': '<html>' }, 'not_readable'],
      ['something else', { '/v2/listinfo': { lists: 'many' } }, 'not_readable'],
      [
        'hits without a list',
        { '/v2/listinfo': { lists: { a: 1 } }, '/v2/search': { entities: [{ name: 'A' }] } },
        'not_readable',
      ],
      [
        'other lists after the search than before',
        {
          '/v2/listinfo': { lists: { a: 1 }, listHashes: { a: '1' } },
          '/v2/search': { entities: null },
          later: { lists: { a: 1 }, listHashes: { a: '2' } },
        },
        'lists_changed',
      ],
    ])('that answers %s has cleared nobody', async (_what, given, code) => {
      answers = given
      expect(await vendorErrorOf(other().screen(asked))).toMatchObject({ failure: 'unknown', code })
    })
  })
})
