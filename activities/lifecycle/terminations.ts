/** Terminations whose time has come. */
import { inTransaction } from '../../db/database.ts'
import {
  effectTermination,
  listDueTerminations,
  markTerminationProblem,
} from '../../db/lifecycle/terminations.ts'
import { isDomainError } from '../../domain/errors.ts'
import type { ActivityDeps } from '../deps.ts'

/** One that cannot take effect is left to a person, tried again, and stops no other. */
export async function effectDueTerminations({ db }: Pick<ActivityDeps, 'db'>): Promise<void> {
  for (const id of await listDueTerminations(db)) {
    try {
      await inTransaction(db, (trx) => effectTermination(trx, id))
    } catch (error) {
      if (!isDomainError(error)) throw error
      await markTerminationProblem(db, id, error.code)
    }
  }
}
