/**
 * Lets the Temporal SDK fetch its server, in a process of its own: the SDK's native runtime
 * would otherwise stay in ours. Usage: sdk-download-child.ts cli|test-server DIRECTORY
 */
import { TestWorkflowEnvironment } from '@temporalio/testing'

const [kind, downloadDir = ''] = process.argv.slice(2)
const server = { executable: { type: 'cached-download' as const, downloadDir } }
const environment =
  kind === 'cli'
    ? await TestWorkflowEnvironment.createLocal({ server })
    : await TestWorkflowEnvironment.createTimeSkipping({ server })
await environment.teardown()
