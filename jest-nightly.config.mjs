// The same guarantees with many more random cases: `npm run test:nightly`.
import config from './jest.config.mjs'

export default {
  ...config,
  testMatch: ['**/test/domain/*.test.ts', '**/test/simulation/model.test.ts'],
  globals: { propertyRuns: 100_000, modelRuns: 2_000 },
  testTimeout: 3_600_000,
}
