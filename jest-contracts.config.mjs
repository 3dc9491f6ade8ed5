// Our stand-ins beside what the vendors publish: `npm run contracts`.
import config from './jest.config.mjs'

export default {
  ...config,
  testMatch: ['**/test/contracts/*.test.ts'],
  testPathIgnorePatterns: [],
  maxWorkers: 1,
  testTimeout: 180_000,
}
