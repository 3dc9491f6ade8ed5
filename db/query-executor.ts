/** Statements of a transaction go to the driver as they come, also while others are answered. */
import {
  type ConnectionProvider,
  type DatabaseConnection,
  DefaultQueryExecutor,
  type Dialect,
  type Driver,
} from 'kysely'
import { camelCaseRows, SnakeCaseCompiler } from './snake-case.ts'

/**
 * The query builder hands a connection to one statement at a time. The driver keeps their order
 * itself, and sends without waiting for the answers to those before.
 */
class PipeliningExecutor extends DefaultQueryExecutor {
  override withConnectionProvider(provider: ConnectionProvider): DefaultQueryExecutor {
    const connection = provider.provideConnection(async (given: DatabaseConnection) => given)
    return super.withConnectionProvider({
      provideConnection: async (consumer) => consumer(await connection),
    })
  }
}

/** Gives each statement or transaction a connection of its own. */
const connectionsOf = (driver: Driver): ConnectionProvider => {
  const ready = driver.init()
  return {
    async provideConnection(consumer) {
      await ready
      const connection = await driver.acquireConnection()
      try {
        return await consumer(connection)
      } finally {
        await driver.releaseConnection(connection)
      }
    },
  }
}

/** What the query builder runs statements with. */
export function executorOf(
  { driver, dialect }: { driver: Driver; dialect: Dialect },
  pipeline: boolean,
): DefaultQueryExecutor {
  const Executor = pipeline ? PipeliningExecutor : DefaultQueryExecutor
  return new Executor(new SnakeCaseCompiler(), dialect.createAdapter(), connectionsOf(driver), [
    camelCaseRows,
  ])
}
