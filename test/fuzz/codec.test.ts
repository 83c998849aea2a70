import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const script = fileURLToPath(new URL('codec-mutants.ts', import.meta.url));

/** By hand: `VITRINE_MUTANTS=1000000 npx vitest run test/fuzz/codec.test.ts`. */
const mutants = Number(process.env['VITRINE_MUTANTS'] ?? 4_000);

test('damaged bytes give values or a coded error, and need no more than a little memory', () => {
  const seed = Number(process.env['VITRINE_SEED'] ?? 1);
  const output = execFileSync(
    process.execPath,
    ['--max-old-space-size=256', '--import', 'tsx', script, String(seed), String(mutants)],
    { encoding: 'utf8' },
  );
  const counts = JSON.parse(output) as { mutants: number; read: number; refused: number };
  expect(counts.read + counts.refused).toBe(mutants);
  // The mutants are worth something: many still open, many do not.
  expect(counts.read).toBeGreaterThan(mutants / 20);
  expect(counts.refused).toBeGreaterThan(mutants / 20);
});
