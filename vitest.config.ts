import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    pool: 'forks',
    execArgv: ['--expose-gc'],
    // No test has an upper time bound of its own; this one only ends a run that hangs.
    testTimeout: 600_000,
    hookTimeout: 600_000,
  },
});
