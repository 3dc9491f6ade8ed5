/** What every provider of screening offers. */
import type { NamedKind } from '../../domain/name-match.ts'
import type { ScreeningProvider, ScreeningResult } from '../../domain/screening.ts'

export interface ScreeningQuery {
  name: string
  kind: NamedKind
  /** ISO 3166-1; kept for providers that weigh it, and never a reason to leave an entry out. */
  country: string
  /** From 1 to 100; entries that are less alike are no hits. */
  threshold: number
}

export interface Screening {
  provider: ScreeningProvider
  /** @throws VendorError when the lists cannot be looked at: that is never "nothing found". */
  screen(query: ScreeningQuery): Promise<ScreeningResult>
  /** What changes whenever the lists do. @throws VendorError */
  listVersion(): Promise<string>
}
