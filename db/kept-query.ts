/** Reads of one thing that are asked again and again: their text is made once. */
import type { CompiledQuery } from 'kysely'
import type { Db } from './database.ts'

/** No value is this one. */
const blank = '\u0000 the value'

/**
 * @param build makes the statement for a value that stands in it as a parameter.
 * @returns what runs it for a value and answers with its rows.
 */
export function keptQuery<Row>(
  build: (db: Db, value: string) => { compile(): CompiledQuery<Row> },
): (db: Db, value: string) => Promise<Row[]> {
  let kept: CompiledQuery<Row> | undefined
  return async (db, value) => {
    kept ??= build(db, blank).compile()
    const parameters = kept.parameters.map((parameter) => (parameter === blank ? value : parameter))
    const { rows } = await db.executeQuery<Row>({ ...kept, parameters })
    return rows
  }
}
