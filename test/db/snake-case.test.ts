import { CamelCasePlugin, DummyDriver, Kysely, PostgresDialect, sql } from 'kysely'
import { kyselyOf } from '../../db/database.ts'
import { openedFields } from '../../db/personal-fields.ts'
import type { DB } from '../../db/schema.ts'

const dialect = new PostgresDialect({
  pool: async () => {
    throw new Error('nobody is asked')
  },
})

/** The query builder with its own plugin. */
const plain = new Kysely<DB>({
  dialect: {
    createDriver: () => new DummyDriver(),
    createAdapter: () => dialect.createAdapter(),
    createIntrospector: (db) => dialect.createIntrospector(db),
    createQueryCompiler: () => dialect.createQueryCompiler(),
  },
  plugins: [new CamelCasePlugin({ maintainNestedObjectKeys: true })],
})

const ours = kyselyOf(() => Promise.reject(new Error('nobody is asked')))

describe('a statement', () => {
  test.each([
    [
      'of names, joined',
      (db: Kysely<DB>) =>
        db
          .selectFrom('applications as own')
          .leftJoin('payoutAccounts', 'payoutAccounts.applicationId', 'own.id')
          .selectAll('own')
          .select(['payoutAccounts.status as verificationStatus'])
          .select(sql<string>`lower(${sql.ref('own.companyName')})`.as('lowCompanyName'))
          .where('own.closedAt', 'is', null)
          .orderBy('own.submittedAt', 'desc'),
    ],
    [
      'of sealed columns',
      (db: Kysely<DB>) => db.selectFrom('applications').select(openedFields('applications')),
    ],
    [
      'that writes',
      (db: Kysely<DB>) =>
        db
          .insertInto('applicationEvents')
          .values({
            applicationId: 'a',
            entryKey: 'k',
            stage: 'done',
            actor: 'system',
            what: 'it is over',
          })
          .onConflict((conflict) => conflict.columns(['applicationId', 'entryKey']).doNothing())
          .returning('entryKey'),
    ],
  ])('%s says the same as with the plugin of the query builder', (_, query) => {
    const [one, other] = [query(ours).compile(), query(plain).compile()]
    expect(one.sql).toBe(other.sql)
    expect(one.parameters).toEqual(other.parameters)
  })

  test('has quotes in names doubled, and runs of capitals in one piece', () => {
    const name = sql`select ${sql.id('ab"C', 'HTTPCode', 'x2Y')}`
    expect(name.compile(ours).sql).toBe(name.compile(plain).sql)
  })
})
