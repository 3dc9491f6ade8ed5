/** The sample files of the documents earn what is written beside them. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { usePlayer } from './play.ts'

const player = usePlayer()
const folder = join(import.meta.dirname, '..', '..', 'docs', 'examples', 'simulations')
const parsed = (file: string) => JSON.parse(readFileSync(join(folder, file), 'utf8'))
const names = readdirSync(folder)
  .filter((file) => !file.endsWith('.expected.json'))
  .map((file) => file.replace('.json', ''))

describe('a sample scenario', () => {
  it.each(names)('%s earns exactly what its expected file says', async (name) => {
    const { invariants, ...result } = await player.play(parsed(`${name}.json`))
    const { invariants: _, ...expected } = parsed(`${name}.expected.json`)
    expect(JSON.parse(JSON.stringify(result))).toEqual(expected)
    expect(invariants.violations).toEqual([])
  })

  it('is there for every kind of event and of rule', () => {
    const files = names.map((name) => parsed(`${name}.json`))
    const kinds = new Set(
      files.flatMap(({ rules }) => rules.map(({ kind }: { kind: string }) => kind)),
    )
    expect([...kinds].sort()).toEqual([
      'flat',
      'hybrid',
      'percentage',
      'performance',
      'tiered_cliff',
      'tiered_marginal',
    ])
    const types = new Set(
      files.flatMap(({ events }) => events.map(({ type }: { type: string }) => type)),
    )
    expect([...types].sort()).toEqual([
      'adjustment',
      'credit_note',
      'dispute_lost',
      'dispute_opened',
      'dispute_won',
      'move',
      'payment',
      'refund',
      'refund_failed',
      'tier',
    ])
  })
})
