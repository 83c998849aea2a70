/**
 * Explores the handshake's interleavings: the protocol must hold, every mutant of it must be caught.
 *
 *     npx tsx test/native/explore.ts                    what the tests run, seconds
 *     npx tsx test/native/explore.ts --large            larger bounds, about 8 minutes, up to 4 GiB of memory
 *     npx tsx test/native/explore.ts --only waiters     runs whose name or bounds contain this
 *     npx tsx test/native/explore.ts --only ... --trace     prints the steps that lead to the violation
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import {
  compileExplorer,
  explore,
  harmless,
  mutants,
  protocol,
  protocolLarge,
  type Run,
} from './explorer/runs.ts';

const options = parseArgs({
  options: {
    large: { type: 'boolean', default: false },
    only: { type: 'string', default: '' },
    trace: { type: 'boolean', default: false },
  },
}).values;

const directory = mkdtempSync(join(tmpdir(), 'vitrine-explorer-'));
try {
  const program = compileExplorer(directory);
  let surprises = 0;
  const report = (title: string, runs: readonly Run[], isVariant: boolean): void => {
    const chosen = runs.filter(({ name, bounds }) => `${name} ${bounds}`.includes(options.only));
    if (chosen.length === 0) return;
    console.log(`\n${title}`);
    for (const run of chosen) {
      const { violated, isComplete, states, seconds, why, trace } = explore(program, run, isVariant);
      const isExpected = isComplete && violated === (run.breaks ?? '');
      if (!isExpected) surprises += 1;
      console.log(
        `  ${run.name.padEnd(38)} ${run.bounds.padEnd(64)} ${states.toLocaleString('en').padStart(12)} states`,
        `${seconds.toFixed(1).padStart(6)} s `,
        violated ? `${violated}: ${why}` : isComplete ? 'holds' : 'incomplete',
        isExpected ? '' : `<-- expected: ${run.breaks ?? 'holds'}`,
      );
      if (options.trace) console.log(trace);
    }
  };
  report('The protocol must hold', options.large ? [...protocol, ...protocolLarge] : protocol, false);
  report('Harmless variants must hold', harmless, true);
  report('Mutants must be caught', mutants, true);
  console.log(surprises === 0 ? '\nAs expected.' : `\n${surprises} not as expected.`);
  process.exitCode = surprises === 0 ? 0 : 1;
} finally {
  rmSync(directory, { recursive: true, force: true });
}
