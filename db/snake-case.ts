/**
 * Names as the code has them and as the database has them: `dueAt` is `due_at` there. They are
 * turned where the text of a statement is written, once for each name. The plugin that comes with
 * the query builder would copy every statement for it first.
 */
import {
  CamelCasePlugin,
  type IdentifierNode,
  type KyselyPlugin,
  PostgresQueryCompiler,
} from 'kysely'

const written = new Map<string, string>()

/** Names are in the code, not in data: there are some thousands of them at the most. */
function snakeCase(name: string): string {
  return name.replaceAll(/[A-Z]+/g, (letters, at) => `${at > 0 ? '_' : ''}${letters.toLowerCase()}`)
}

/** Writes every name in the form of the database. */
export class SnakeCaseCompiler extends PostgresQueryCompiler {
  protected override visitIdentifier({ name }: IdentifierNode): void {
    const known = written.get(name)
    const quoted = known ?? `"${this.sanitizeIdentifier(snakeCase(name))}"`
    if (known === undefined) written.set(name, quoted)
    this.append(quoted)
  }
}

const camelCase = new CamelCasePlugin({ maintainNestedObjectKeys: true })

/** Rows arrive with camel-case names; what is inside a jsonb column keeps its own. */
export const camelCaseRows: KyselyPlugin = {
  transformQuery: ({ node }) => node,
  transformResult: (args) => camelCase.transformResult(args),
}
