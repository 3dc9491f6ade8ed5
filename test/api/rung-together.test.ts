import { rungTogether } from '../../api/rung-together.ts'

/** Rings that end when they are told to, with what each of them saw as it began. */
function bellTower() {
  const rings: { saw: number; end: () => void; fail: (error: Error) => void }[] = []
  const committed = { rows: 0 }
  const ring = () =>
    new Promise<void>((end, fail) => {
      rings.push({ saw: committed.rows, end, fail })
    })
  return { rings, committed, bell: rungTogether(ring, 1) }
}

const soon = () => new Promise((resolve) => setTimeout(resolve, 20))

describe('a bell for many', () => {
  it('rings at once for the first, and once for all who come meanwhile', async () => {
    const { rings, committed, bell } = bellTower()
    const first = bell()
    await soon()
    const others = Array.from({ length: 9 }, () => {
      committed.rows += 1
      return bell()
    })
    await soon()
    expect(rings.map(({ saw }) => saw)).toEqual([0])
    rings[0]?.end()
    await first
    await soon()
    // It began after the last of them had its row.
    expect(rings.map(({ saw }) => saw)).toEqual([0, 9])
    rings[1]?.end()
    await Promise.all(others)
  })

  it('tells a failure to those who share it, and rings again for the next', async () => {
    const { rings, bell } = bellTower()
    const first = [bell(), bell()]
    await soon()
    rings[0]?.fail(new Error('away'))
    const ends = await Promise.allSettled(first)
    expect(ends.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
    const next = bell()
    await soon()
    rings[1]?.end()
    await next
  })
})
