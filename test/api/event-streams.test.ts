/** Streams of events by themselves: what is read, what is told, and to whom no more. */
import type { Readable } from 'node:stream'
import { setTimeout as pause } from 'node:timers/promises'
import { openStreams, type Snapshot, type Watching } from '../../api/event-streams.ts'
import { DomainError } from '../../domain/errors.ts'
import { until } from '../support/until.ts'

const warnings: object[] = []
const log = { warn: (facts: object) => warnings.push(facts) }
const quick = { pollMs: 20, beatMs: 1_000 }

const snapshot = (n: number, isLast = false): Snapshot => ({ data: { n }, isLast })

const watching = (wishes: Partial<Watching> = {}): Watching => ({
  topic: 'a run',
  read: async () => snapshot(1),
  first: snapshot(1),
  memberId: 'member',
  lastEventId: '',
  stillMay: async () => {},
  ...wishes,
})

/** What a stream says until it ends. */
async function said(stream: Readable | null): Promise<string> {
  let text = ''
  for await (const chunk of stream ?? []) text += String(chunk)
  return text
}

const told = (text: string) => [...text.matchAll(/"n":(\d+)/g)].map(([, n]) => Number(n))
const endOf = (text: string) => /"reason":"(\w+)"/.exec(text)?.[1]
const newestId = (text: string) => [...text.matchAll(/^id: (\w+)$/gm)].at(-1)?.[1] ?? ''

describe('what is watched', () => {
  it('is read once for all who watch it, and no longer when nobody does', async () => {
    let reads = 0
    const read = async () => snapshot(++reads, reads === 5)
    const streams = openStreams(log, quick)
    const open = () => said(streams.open(watching({ read, first: snapshot(0) })))
    const texts = await Promise.all([open(), open(), open()])
    expect(texts.map(told)).toEqual(Array(3).fill([0, 1, 2, 3, 4, 5]))
    expect(texts.map(endOf)).toEqual(['over', 'over', 'over'])
    await pause(100)
    expect(reads).toBe(5)
  })

  it('is told again only when it has changed, whatever time has changed of it', async () => {
    let reads = 0
    const read = async () => ({
      data: { n: ++reads },
      state: reads < 4 ? 'same' : 'other',
      isLast: reads === 6,
    })
    const first = { data: { n: 0 }, state: 'same', isLast: false }
    const text = await said(openStreams(log, quick).open(watching({ read, first })))
    expect(told(text)).toEqual([0, 4])
  })

  it('is told to who comes back where it is new, and no stream is opened for what is over', async () => {
    const streams = openStreams(log, quick)
    const read = async () => snapshot(2, true)
    const text = await said(streams.open(watching({ read })))
    expect(told(text)).toEqual([1, 2])
    const lastEventId = newestId(text)
    const [seen] = /(?<=id: )\w+/.exec(text) ?? []
    const again = await said(streams.open(watching({ read, lastEventId: String(seen) })))
    expect(told(again)).toEqual([2])
    expect(streams.open(watching({ first: snapshot(2, true), lastEventId }))).toBeNull()
  })

  it('goes on when it could not be read for a moment', async () => {
    let reads = 0
    const read = async () => {
      if (++reads < 3) throw new Error('the database is away')
      return snapshot(9, true)
    }
    const text = await said(openStreams(log, quick).open(watching({ read })))
    expect(told(text)).toEqual([1, 9])
    expect(warnings.length).toBeGreaterThanOrEqual(2)
  })
})

describe('a stream', () => {
  const beating = { ...quick, beatMs: 20 }

  it('says that it is there while nothing happens', async () => {
    const streams = openStreams(log, { ...beating, lifeMs: 500 })
    const text = await said(streams.open(watching()))
    expect(text).toMatch(/^retry: 2000\n\nevent: progress\nid: \w{32}\ndata: {"n":1}\n\n: still/)
    expect(endOf(text)).toBe('expired')
  })

  it('ends for who may read no more, and for nobody else', async () => {
    const streams = openStreams(log, { ...beating, lifeMs: 1_000 })
    let asked = 0
    const stillMay = async () => {
      if (++asked > 2) throw new DomainError('not_authenticated', 'the key is revoked')
    }
    const [refused, other] = await Promise.all([
      said(streams.open(watching({ stillMay }))),
      said(streams.open(watching({ memberId: 'another' }))),
    ])
    expect([endOf(refused), endOf(other)]).toEqual(['forbidden', 'expired'])
  })

  it('ends, to be opened again, where nobody can say who may read', async () => {
    const stillMay = () => Promise.reject(new Error('the database is away'))
    const text = await said(openStreams(log, beating).open(watching({ stillMay })))
    expect(endOf(text)).toBe('expired')
  })

  it('that nobody reads is given up, and gives its place free', async () => {
    const streams = openStreams(log, { ...beating, perMember: 1 })
    let n = 0
    const read = async () => ({ data: { n: ++n, filling: 'x'.repeat(70_000) }, isLast: false })
    const stream = streams.open(watching({ read }))
    stream?.read(0)
    expect(() => streams.open(watching())).toThrow('open already')
    await until(() => stream?.destroyed === true)
    const next = streams.open(watching({ read: async () => snapshot(3, true) }))
    expect(told(await said(next))).toEqual([1, 3])
  })

  it('is one of few for a member, and one of so many for a process', async () => {
    const streams = openStreams(log, { ...quick, perMember: 2, perProcess: 3 })
    const open = (memberId: string) => streams.open(watching({ memberId }))
    open('one')
    const second = open('one')
    expect(() => open('one')).toThrow(expect.objectContaining({ code: 'too_many_requests' }))
    open('two')
    const full = expect.objectContaining({ code: 'temporarily_unavailable' })
    expect(() => open('three')).toThrow(full)
    const closed = new Promise((resolve) => second?.once('close', resolve))
    second?.destroy()
    await closed
    expect(open('three')).not.toBeNull()
    streams.close()
  })

  it('ends when the process does, which opens none any more', async () => {
    const streams = openStreams(log, quick)
    const text = said(streams.open(watching()))
    await pause(30)
    streams.close()
    expect([told(await text), endOf(await text)]).toEqual([[1], 'draining'])
    expect(() => streams.open(watching())).toThrow('no stream can be opened')
  })
})
