/** What statements tell of reserves, and why there is one. */
import { dayOf } from './period.ts'

/** What customers paid, and how much of it their banks wanted back, in the same window. */
export interface RiskVolume {
  paid: bigint
  disputed: bigint
}

/** Whether the disputed share is above a limit in hundredths of a percent; at it is not above. */
export function isAtRisk({ paid, disputed }: RiskVolume, aboveBps: number): boolean {
  return disputed * 10_000n > paid * BigInt(aboveBps)
}

/** The disputed share in hundredths of a percent, rounded down; null where nothing was paid. */
export function disputedBps({ paid, disputed }: RiskVolume): number | null {
  return paid === 0n ? null : Number((disputed * 10_000n) / paid)
}

export const reserveEndCauses = ['matured', 'by_person', 'used'] as const
/** Its time is over, a person let it go, or it covers what was taken back. */
export type ReserveEndCause = (typeof reserveEndCauses)[number]

/** What a statement does with a reserve, as its forms tell it. */
export interface ReserveMove {
  /** That of the reserve. */
  id: string
  what: 'kept' | ReserveEndCause
  /** Of the statement that kept it. */
  period: string
  amount: bigint
  until: Date
  windowFrom: Date
  volume: RiskVolume
  aboveBps: number
}

const endWords: Record<ReserveEndCause, string> = {
  matured: 'released, its time is over',
  by_person: 'released early by the platform',
  used: 'used for what was taken back',
}

const percent = (bps: number) => `${bps / 100} %`

/** Why a payout is reserved in part, for people. */
export function reserveWords({ volume, aboveBps, windowFrom }: Omit<ReserveMove, 'what'>): string {
  const share = disputedBps(volume)
  const disputed = share === null ? 'what was paid earlier' : `${percent(share)} of what was paid`
  return `${disputed} since ${dayOf(windowFrom)} is disputed, \
more than ${percent(aboveBps)}`
}

/** The same of any move. */
export function moveWords(move: ReserveMove): string {
  if (move.what === 'kept') return `Reserve: kept, ${reserveWords(move)}`
  return `Reserve of ${move.period}: ${endWords[move.what]}`
}
