/**
 * What partners earn, computed a second time: in SQL over the stored facts, to be compared with
 * what is stored. It shares no arithmetic with domain/ and never decides anything. What was decided
 * when a line was booked (its rule, tier, exclusion) is taken as stored, and must fit.
 *
 * Whatever follows one another does so in order of ids: they are UUIDs of version 7, and the
 * writers that count on each other hold a lock from before the id of the one is made until it is
 * committed, so that the next one sees it and has a larger id. That is the order of booking, which
 * shares depend on, and not the order of payment: what is told late is booked late. Parts of a line
 * wait for each other on their payments, which are booked in one order; lines under a cap or bands
 * on the rule; what goes back on its payment. Rows of one statement get their ids in the order in
 * which they are given, which is the order in which they were shared.
 *
 * All division is of whole numbers in `numeric`, which does not overflow.
 */
import {
  wrongBonuses,
  wrongClawbacks,
  wrongTrueUpClawbacks,
  wrongTrueUps,
} from './recompute-closings.ts'
import { wrongShares } from './recompute-shares.ts'

/** The invariant of `invariants.ts`; each of its rows tells what is wrong and the id of it. */
export const recomputed = {
  id: 'I22',
  says: 'shares, what is taken back of them, true-ups and bonuses are what the facts give again',
  query: [wrongShares, wrongClawbacks, wrongTrueUps, wrongTrueUpClawbacks, wrongBonuses]
    .map((query) => `select wrong, id from (${query}) broken`)
    .join(' union all '),
}
