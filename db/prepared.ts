/**
 * Statements that a connection keeps with their plan. Under policies PostgreSQL takes longer to
 * plan a small statement than to run it.
 */
import type pg from 'pg'

export interface PreparedNames {
  /** @returns the name under which a statement is kept; none for one that is asked anew. */
  of(role: string, text: string): string | undefined
  /** After a change of tables the kept plans answer no more: all are made anew. */
  forget(): void
}

/** Of one process; each takes memory in every connection. */
const mostNames = 600
const longest = 6_000
/** Raw statements that are longer work on many rows; reads of one thing may have more to say. */
const longestRaw = 700
const longestRead = 1_500

/** Rows by the thousand are worth a plan for just these values. */
const ofMany = /\b(unnest|any|generate_series|json\w*_to_recordset)\s*\(|\bgroup by\b/i
/** One that the query builder made names its tables in quotes. */
const built = /^(insert into|update|delete from) "|^select [\s\S]* from "/

function mayBeKept(text: string): boolean {
  if (ofMany.test(text) || text.length > longest) return false
  if (text.length <= longestRaw || built.test(text)) return true
  return text.length <= longestRead && /^\s*select\b/.test(text)
}

/** Names for what is asked again: a text that comes once is worth no place. */
export function preparedNames(): PreparedNames {
  let known = new Map<string, { asked: boolean; name: string | undefined }>()
  let round = 0
  let names = 0
  return {
    of(role, text) {
      const key = `${role} ${text}`
      const before = known.get(key)
      if (before?.asked) {
        if (!before.name && names < mostNames) {
          names += 1
          before.name = `p${round}_${names}`
        }
        return before.name
      }
      if (known.size < mostNames * 3 && mayBeKept(text)) {
        known.set(key, { asked: true, name: undefined })
      }
      return undefined
    },
    forget() {
      round += 1
      names = 0
      known = new Map()
    },
  }
}

/** The tables changed since the plan was made: the same statement works under another name. */
export function isOldPlan(error: unknown): boolean {
  const { code, message = '' } = (error ?? {}) as Partial<pg.DatabaseError>
  return code === '0A000' && message.startsWith('cached plan')
}
