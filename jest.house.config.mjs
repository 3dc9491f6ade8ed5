// The house rules read files only: no servers are started for them.
import config from './jest.config.mjs'

const { globalSetup: _setup, globalTeardown: _teardown, ...rest } = config

export default { ...rest, testMatch: ['**/house.test.ts'] }
