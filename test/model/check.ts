/**
 * Checks the spin models of this folder: the protocol must hold, every mutant of it must be caught by the invariant it breaks.
 *
 *     npx tsx test/model/check.ts                    two minutes of one core
 *     npx tsx test/model/check.ts --large            larger bounds: eight minutes, up to 4 GiB of memory
 *     npx tsx test/model/check.ts --only drop        runs whose name contains this
 *     npx tsx test/model/check.ts --only ... --trail     prints the steps that lead to the violation
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

interface Run {
  readonly name: string;
  readonly model: 'handshake' | 'readonly' | 'recreate' | 'wait';
  /** Macros of the model: bounds, variants, mutants. */
  readonly defines: string;
  /** What a mutant must break; absent: the model must hold. */
  readonly breaks?: string;
}

const holds = (name: string, model: Run['model'], defines: string): Run => ({ name, model, defines });
const mutant = (breaks: string, model: Run['model'], defines: string): Run => ({
  name: /\bM_.*/.exec(defines)?.[0].replace(/ [A-Z]+=\d+/g, '') ?? defines,
  model,
  defines,
  breaks,
});

/** What is built. READERS stay, hold and copy out; a VISITOR stands for any number of short-lived readers. */
const protocol: readonly Run[] = [
  holds('publish and adopt, 4 versions', 'handshake', 'PUBLISHES=4'),
  holds('a reader and visitors', 'handshake', 'VISITORS=1'),
  holds('death and takeover', 'handshake', 'DEATHS=1'),
  holds('death, giving up, a drop', 'handshake', 'DEATHS=1 ABORTS=1 DROPS=1 PUBLISHES=2'),
  holds('two deaths and a drop', 'handshake', 'DEATHS=2 DROPS=1 PUBLISHES=2'),
  holds('three slots', 'handshake', 'THREE_SLOTS PUBLISHES=4'),
  holds('a loan, three slots', 'handshake', 'THREE_SLOTS LOANS=1'),
  holds('all checksums collide', 'handshake', 'COLLIDE DEATHS=1 ABORTS=1'),
  holds('locked memory', 'handshake', 'PRIVATE_PAGES ABORTS=1 PUBLISHES=4'),
  holds('reuse: false', 'readonly', 'DEATHS=2'),
  holds('reuse: false, all checksums collide', 'readonly', 'DEATHS=2 COLLIDE'),
  holds('destroy and create anew', 'recreate', 'DEATHS=1'),
  holds('files deleted, created anew', 'recreate', 'DEATHS=1 SWEPT'),
  holds('wait and wake', 'wait', 'DEATHS=1'),
  holds('wait and wake, reuse: false', 'wait', 'DEATHS=1 READ_ONLY'),
];

const protocolLarge: readonly Run[] = [
  holds('a reader and visitors, death', 'handshake', 'VISITORS=1 DEATHS=1 PUBLISHES=2'),
  holds('two readers', 'handshake', 'READERS=2 PUBLISHES=2'),
  holds('death and takeover, 4 versions', 'handshake', 'DEATHS=1 PUBLISHES=4'),
  holds('death, giving up, a drop, 3 versions', 'handshake', 'DEATHS=1 ABORTS=1 DROPS=1'),
  holds('two deaths and a drop, 3 versions', 'handshake', 'DEATHS=2 DROPS=1'),
  holds('three slots, death', 'handshake', 'THREE_SLOTS DEATHS=1'),
  holds('a loan, three slots, death', 'handshake', 'THREE_SLOTS LOANS=1 DEATHS=1 PUBLISHES=2'),
  holds('all checksums collide, 4 versions', 'handshake', 'COLLIDE DEATHS=1 ABORTS=1 PUBLISHES=4'),
  holds('reuse: false, two readers', 'readonly', 'READERS=2 DEATHS=1'),
  holds('destroy and create anew, two deaths', 'recreate', 'DEATHS=2'),
  holds('three waiters', 'wait', 'DEATHS=1 WAITERS=3'),
];

/** Orders that look as if they mattered for safety and do not: docs/protocol.md says what they are for. */
const harmless: readonly Run[] = [
  holds('H_PINNED_FIRST', 'handshake', 'H_PINNED_FIRST DEATHS=1'),
  holds('H_WORD_FIRST', 'handshake', 'H_WORD_FIRST DEATHS=1'),
  holds('H_NAMED_FIRST', 'handshake', 'H_NAMED_FIRST DEATHS=1'),
  holds('H_NAMED_FIRST, reuse: false', 'readonly', 'H_NAMED_FIRST DEATHS=1'),
  holds('H_NUMBER_NOT_CLEARED', 'handshake', 'H_NUMBER_NOT_CLEARED COLLIDE DEATHS=1 ABORTS=1'),
  holds('M_WORD_NOT_RECHECKED, no collision', 'handshake', 'M_WORD_NOT_RECHECKED DEATHS=1'),
  holds('M_PIN_NOT_COMPARED, no collision', 'handshake', 'M_PIN_NOT_COMPARED DEATHS=1'),
  holds('M_NO_STORE_ID, destroyed properly', 'recreate', 'M_NO_STORE_ID DEATHS=1'),
  holds('H_NEVER_CLEARED', 'wait', 'H_NEVER_CLEARED DEATHS=1'),
];

const mutants: readonly Run[] = [
  mutant('I1', 'handshake', 'M_NOT_COUNTED'),
  mutant('I1', 'handshake', 'M_COUNTED_EARLY'),
  mutant('I1', 'handshake', 'M_COUNTED_LATE'),
  mutant('I1', 'handshake', 'M_NOT_RECHECKED'),
  mutant('I1', 'handshake', 'M_WORD_NOT_RECHECKED COLLIDE ABORTS=1'),
  mutant('I1', 'handshake', 'M_PIN_NOT_COMPARED COLLIDE ABORTS=1'),
  mutant('I2', 'handshake', 'M_NOT_REFRESHED PRIVATE_PAGES'),
  mutant('I3', 'handshake', 'M_SEQUENCE_FIRST'),
  mutant('I3', 'handshake', 'M_REMEMBERED_LATE'),
  mutant('I3', 'handshake', 'M_NOT_REANNOUNCED DEATHS=1'),
  mutant('I4', 'handshake', 'M_UNPINNED_BLINDLY'),
  mutant('I4', 'handshake', 'M_COUNT_KEPT'),
  mutant('I5', 'handshake', 'M_WAITS_FOR_READERS'),
  mutant('I6', 'handshake', 'M_NUMBER_RESTARTED DEATHS=1'),
  mutant('I7', 'handshake', 'M_SUSPECT_TRUSTED DEATHS=1'),
  mutant('I8', 'handshake', 'M_NO_MAXIMUM DEATHS=1'),
  mutant('I1', 'handshake', 'M_NO_MAXIMUM DEATHS=1 BYTES_ONLY'),
  mutant('I8', 'handshake', 'M_UNLINKED_FIRST DEATHS=2 DROPS=1 PUBLISHES=2'),
  mutant('I9', 'handshake', 'M_WORD_AFTER_VERSION'),
  mutant('I1', 'readonly', 'M_NOT_RECHECKED'),
  mutant('I1', 'readonly', 'M_WORD_NOT_RECHECKED COLLIDE'),
  mutant('I1', 'readonly', 'M_REUSE_CHANGED'),
  mutant('I3', 'readonly', 'M_REMEMBERED_LATE'),
  mutant('I1', 'recreate', 'M_NO_STORE_ID SWEPT'),
  mutant('I1', 'recreate', 'M_MAPPINGS_KEPT'),
  mutant('I3', 'recreate', 'M_SEQUENCE_KEPT'),
  mutant('I3', 'recreate', 'M_NUMBER_KEPT'),
  mutant('I6', 'recreate', 'M_TOMBSTONE_OVERLOOKED'),
  mutant('I10', 'recreate', 'M_UNLINKED_FIRST'),
  mutant('I11', 'wait', 'M_CLEARED_AFTER DEATHS=0'),
  mutant('I11', 'wait', 'M_SLEPT_ON_FLAG DEATHS=0'),
  mutant('I11', 'wait', 'M_NOT_LOOKED_AGAIN DEATHS=0'),
  mutant('I11', 'wait', 'M_FLAG_NOT_RAISED DEATHS=0'),
  mutant('I11', 'wait', 'M_EXPECTED_LATE DEATHS=0'),
  mutant('I11', 'wait', 'M_TAKEOVER_SILENT DEATHS=1'),
];

/** What the broken order of a drop leads to, in the end: another version's bytes. */
const mutantsLarge: readonly Run[] = [
  mutant('I1', 'handshake', 'M_UNLINKED_FIRST DEATHS=2 DROPS=1 BYTES_ONLY'),
];

interface Result {
  readonly states: number;
  readonly seconds: number;
  /** The invariant that broke; undefined: none did, and the search was complete. */
  readonly broke?: string;
  /** Why the run says nothing. */
  readonly failure?: string;
  readonly trail?: string;
}

const folder = fileURLToPath(new URL('.', import.meta.url));
const options = parseArgs({
  options: {
    large: { type: 'boolean', default: false },
    only: { type: 'string', default: '' },
    trail: { type: 'boolean', default: false },
  },
}).values;

/** `-DNOREDUCE`: spin's partial order reduction does not know the `unless` by which the writer dies. */
const compilerFlags = ['-DSAFETY', '-DNOREDUCE', '-DCOLLAPSE', '-DMEMLIM=3900', '-w'];

function check(run: Run, directory: string): Result {
  const startedAt = performance.now();
  const execute = (command: string, ...args: string[]) => {
    const { stdout, stderr, error } = spawnSync(command, args, {
      cwd: directory,
      encoding: 'utf8',
      maxBuffer: 1 << 28,
    });
    if (error) throw error;
    return stdout + stderr;
  };
  const finish = (states: number, rest: Omit<Result, 'states' | 'seconds'>): Result => ({
    states,
    seconds: (performance.now() - startedAt) / 1000,
    ...rest,
  });

  const model = join(folder, `${run.model}.pml`);
  const defines = run.defines.split(' ').map((macro) => `-D${macro}`);
  const translated = execute('spin', ...defines, '-a', model);
  const compiled = execute('gcc', run.breaks ? '-O0' : '-O2', ...compilerFlags, '-o', 'pan', 'pan.c');
  if (/Error|error:/.test(translated + compiled)) return finish(0, { failure: translated + compiled });

  const explored = execute('./pan', '-m1000000', run.breaks ? '-w20' : '-w24');
  const states = Number(/^ *(\d+(?:\.\d+e\+\d+)?) states, stored/m.exec(explored)?.[1] ?? 0);
  const errors = /errors: (\d+)/.exec(explored)?.[1];
  const incomplete = /out of memory|max search depth too small|MEMLIM|Search not completed|VECTORSZ/i;
  if (errors === undefined || (errors === '0' && incomplete.test(explored)))
    return finish(states, { failure: `incomplete search: ${/pan: .*/.exec(explored)?.[0]}` });
  if (errors === '0') return finish(states, {});

  const trail = execute('spin', ...defines, '-t', '-p', '-g', '-l', '-k', `${run.model}.pml.trail`, model);
  return finish(states, { broke: invariant(trail, explored), trail });
}

/** The line of the model that failed names the invariant; a process that cannot go on is a publish that waits. */
function invariant(trail: string, explored: string): string {
  if (/^pan:1: invalid end state/m.test(explored)) return 'I5';
  const [, file, line] = /(\w+\.pml):(\d+), Error: assertion violated/.exec(trail) ?? [];
  if (!file) return 'unknown';
  const source = readFileSync(join(folder, file), 'utf8').split('\n')[Number(line) - 1];
  return /\bI\d+\b/.exec(source ?? '')?.[0] ?? `${file}:${line}`;
}

function report(title: string, runs: readonly Run[]): number {
  const chosen = runs.filter((run) => `${run.model} ${run.name}`.includes(options.only));
  if (chosen.length === 0) return 0;
  console.log(`\n${title}`);
  let surprises = 0;
  for (const run of chosen) {
    const directory = mkdtempSync(join(tmpdir(), 'vitrine-model-'));
    try {
      const { states, seconds, broke, failure, trail } = check(run, directory);
      const expected = failure === undefined && broke === run.breaks;
      const verdict = failure ?? (broke ? `${broke} broken` : 'no violation');
      if (!expected) surprises++;
      console.log(
        `  ${run.model.padEnd(9)}  ${run.name.padEnd(36)}`,
        `${states.toLocaleString('en').padStart(12)} states ${seconds.toFixed(1).padStart(6)} s  ${verdict}`,
        expected ? '' : `<-- expected: ${run.breaks ?? 'no violation'}`,
      );
      if (options.trail && trail) console.log(trail);
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  }
  return surprises;
}

for (const [tool, debianPackage] of [
  ['spin', 'spin'],
  ['gcc', 'gcc libc6-dev'],
] as const) {
  if (spawnSync(tool, ['--version']).error) {
    console.error(
      `${tool} is missing: the models need it. On Debian and Ubuntu: apt-get install ${debianPackage}`,
    );
    process.exit(2);
  }
}
const surprises =
  report('The protocol must hold', options.large ? [...protocol, ...protocolLarge] : protocol) +
  report('Harmless variants must hold', harmless) +
  report('Mutants must be caught', options.large ? [...mutants, ...mutantsLarge] : mutants);
console.log(surprises === 0 ? '\nAs expected.' : `\n${surprises} not as expected.`);
process.exitCode = surprises === 0 ? 0 : 1;
