import { defineConfig } from 'vitest/config';

/** Where .ci/run wants the results as JSON; `npm cit` hands no arguments on. */
const resultsFile = process.env['VITRINE_TEST_RESULTS'];

export default defineConfig({
  test: {
    reporters: resultsFile ? ['default', ['json', { outputFile: resultsFile }]] : ['default'],
    include: ['test/**/*.test.ts'],
    pool: 'forks',
    execArgv: ['--expose-gc'],
    // No test has an upper time bound of its own; this one only ends a run that hangs.
    testTimeout: 600_000,
    hookTimeout: 600_000,
  },
});
