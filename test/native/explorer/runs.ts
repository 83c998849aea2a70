import { execFileSync, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** One search of test/native/explorer.cc. */
export interface Run {
  readonly name: string;
  /** Bounds, as the program takes them. */
  readonly bounds: string;
  /** What a mutant must break. */
  readonly breaks?: string;
  /** The labels of native/handshake.hpp whose effect the mutant or variant alters. */
  readonly labels?: string;
}

export interface Outcome {
  /** The invariant that broke, empty if none did. */
  readonly violated: string;
  readonly why: string;
  readonly isComplete: boolean;
  readonly states: number;
  readonly steps: number;
  readonly depth: number;
  readonly seconds: number;
  /** The steps that led to the violation. */
  readonly trace: string;
}

/** `warm`: two versions have been published before. See `Bounds` in explorer/state.hpp. */
export const protocol: readonly Run[] = [
  { name: 'a reader, five versions', bounds: 'warm=1 publishes=3' },
  { name: 'a reader, takeover twice', bounds: 'warm=1 publishes=2 crashes=2' },
  { name: 'adopt() repeating itself', bounds: 'warm=1 publishes=2 crashes=1 tries=6' },
  { name: 'equal version words, abort', bounds: 'warm=1 publishes=3 aborts=1 collide=1' },
  { name: 'equal version words, takeover', bounds: 'warm=1 publishes=2 crashes=1 aborts=1 collide=1' },
  { name: 'a region given back, takeover', bounds: 'warm=1 publishes=2 vacates=1 crashes=1' },
  { name: 'a spare slot, takeover', bounds: 'warm=1 publishes=2 slots=3 crashes=1' },
  { name: 'two readers', bounds: 'readers=2 publishes=2 tries=4' },
  { name: 'two readers, no count withheld', bounds: 'readers=2 publishes=2 holds=0 counts=1' },
  { name: 'two readers, takeover', bounds: 'readers=2 warm=1 publishes=1 crashes=1 aborts=1 collide=1' },
  { name: 'three readers', bounds: 'readers=3 warm=1 publishes=1 holds=0' },
  { name: 'reuse: false, takeover twice', bounds: 'reuse=0 warm=1 publishes=3 crashes=2 collide=1' },
  { name: 'destroyed and created anew, takeover', bounds: 'destroys=1 warm=1 publishes=1 crashes=1 tries=4' },
  { name: 'files deleted, created anew', bounds: 'sweeps=1 warm=1 publishes=1 crashes=1 tries=4' },
  { name: 'two waiters, takeover', bounds: 'readers=0 waiters=2 publishes=2 crashes=1' },
  { name: 'three waiters', bounds: 'readers=0 waiters=3 publishes=2' },
  {
    name: 'a waiter, reuse: false, destroyed',
    bounds: 'readers=0 waiters=1 publishes=1 destroys=1 reuse=0 crashes=1',
  },
];

export const protocolLarge: readonly Run[] = [
  { name: 'equal version words, abort, takeover', bounds: 'warm=1 publishes=3 crashes=1 aborts=1 collide=1' },
  { name: 'a reader, six versions, takeover', bounds: 'warm=1 publishes=4 crashes=1' },
  { name: 'a reader, takeover three times', bounds: 'warm=1 publishes=2 crashes=3' },
  {
    name: 'a reader, everything at once',
    bounds: 'warm=1 publishes=3 crashes=1 aborts=1 vacates=1 slots=3 collide=1',
  },
  { name: 'two readers, four versions', bounds: 'readers=2 warm=1 publishes=2 tries=4' },
  {
    name: 'two readers, four versions, takeover',
    bounds: 'readers=2 warm=1 publishes=2 crashes=1 collide=1',
  },
  { name: 'two readers, five versions', bounds: 'readers=2 warm=1 publishes=3 holds=0' },
  { name: 'three readers, takeover', bounds: 'readers=3 publishes=1 crashes=1' },
  { name: 'three readers, two versions', bounds: 'readers=3 publishes=2 holds=0' },
  { name: 'two readers, reuse: false', bounds: 'readers=2 reuse=0 warm=1 publishes=3 crashes=1 collide=1' },
  { name: 'two readers, destroyed', bounds: 'readers=2 destroys=1 publishes=1 crashes=1 tries=4' },
  { name: 'destroyed, four versions', bounds: 'destroys=1 publishes=3 crashes=1 tries=4' },
  { name: 'files deleted, four versions', bounds: 'sweeps=1 publishes=3 crashes=2 tries=4' },
  { name: 'three waiters, takeover', bounds: 'readers=0 waiters=3 warm=1 publishes=2 crashes=1' },
  {
    name: 'two waiters, destroyed, takeover',
    bounds: 'readers=0 waiters=2 publishes=1 destroys=1 crashes=1',
  },
];

/** Look as if they mattered for safety, and are about cost: docs/protocol.md says what they are for. */
export const harmless: readonly Run[] = [
  { name: 'pinnedFirst', labels: 'R3 R4', bounds: 'warm=1 publishes=2 crashes=1' },
  { name: 'hintIgnored', labels: 'R3', bounds: 'warm=1 publishes=2 crashes=1' },
  { name: 'wordBeforeRename', labels: 'W2', bounds: 'warm=1 publishes=2 crashes=1' },
  { name: 'namedBeforeEncoded', labels: '', bounds: 'warm=1 publishes=2 crashes=1' },
  { name: 'numberNotCleared', labels: '', bounds: 'warm=1 publishes=2 crashes=1 aborts=1 collide=1' },
  { name: 'flagNotCleared', labels: 'W6', bounds: 'warm=1 readers=0 waiters=2' },
  // R6 matters where version words collide.
  { name: 'wordNotRechecked', labels: 'R6', bounds: 'warm=1 publishes=2 crashes=1 aborts=1' },
];

const mutant = (name: string, labels: string, breaks: string, bounds: string): Run => ({
  name,
  labels,
  breaks,
  bounds,
});

export const mutants: readonly Run[] = [
  // The reader's accesses.
  mutant('sequenceRememberedLate', 'R1 R2', 'I3', 'warm=1 publishes=2'),
  mutant('countedInNever', 'R4', 'I1', 'warm=1 publishes=2 ignore=I4'),
  mutant('countedInByLoadAndStore', 'R4', 'I4', 'warm=1 publishes=2 readers=2'),
  mutant('versionNotRechecked', 'R5', 'I1', 'warm=1 publishes=2'),
  mutant('wordNotRechecked', 'R6', 'I1', 'warm=1 publishes=3 aborts=1 collide=1'),
  mutant('wordNotRechecked', 'R6', 'I1', 'warm=1 publishes=3 crashes=1 collide=1 reuse=0'),
  mutant('pinNotCompared', '', 'I1', 'warm=1 publishes=3 aborts=1 collide=1'),
  mutant('unpinnedBlindly', 'U1 U2', 'I4', 'warm=1 publishes=2'),
  mutant('unpinnedWithoutCompare', 'U2', 'I4', 'warm=1 publishes=2 readers=2'),
  mutant('noStoreId', '', 'I1', 'sweeps=1 crashes=1 tries=4 warm=1 publishes=2'),
  mutant('mappingsKept', '', 'I1', 'warm=1 destroys=1 publishes=2 tries=4'),
  mutant('sequenceKept', '', 'I3', 'warm=1 destroys=1 publishes=2 tries=4'),
  mutant('numberKept', '', 'I2', 'warm=1 destroys=1 publishes=2 tries=4'),
  // The writer's.
  mutant('countIgnored', 'W1', 'I1', 'warm=1 publishes=2'),
  mutant('countedLate', 'W1', 'I1', 'warm=1 publishes=2'),
  mutant('countedEarly', 'W1', 'I1', 'warm=1 publishes=3'),
  mutant('waitsForReaders', 'W1', 'I5', 'warm=1 publishes=2'),
  mutant('noMaximum', '', 'I8', 'warm=1 readers=0 crashes=1 publishes=2'),
  mutant('noMaximum', '', 'I1', 'warm=1 crashes=1 publishes=3 ignore=I8'),
  mutant('wordNotAsked', 'W1', 'I8', 'warm=1 readers=0 vacates=1 publishes=2'),
  mutant('wordNotStored', 'W2', 'I9', 'warm=1 publishes=2'),
  mutant('countsKept', 'W2', 'I4', 'warm=1 publishes=2'),
  mutant('wordAfterVersion', 'W2 W3', 'I9', 'warm=1 publishes=2'),
  mutant('versionNotStored', 'W3', 'I3', 'warm=1 publishes=1'),
  mutant('sequenceFirst', 'W3 W4', 'I3', 'warm=1 publishes=2'),
  mutant('sequenceNotMoved', 'W4', 'I3', 'warm=1 publishes=2'),
  mutant('flagClearedAfter', 'W5 W6', 'I11', 'warm=1 readers=0 waiters=2'),
  mutant('flagNotLookedAtAgain', 'W8', 'I11', 'warm=1 readers=0 waiters=2'),
  mutant('vacatedInName', 'W7', 'I8', 'warm=1 readers=0 vacates=1 crashes=1 publishes=3'),
  mutant('unlinkedFirst', 'W7', 'I8', 'warm=1 readers=0 vacates=1 crashes=2 publishes=2'),
  mutant('tombstoneNotStored', 'D1', 'I10', 'warm=1 destroys=1 publishes=1 tries=4'),
  mutant('stateUnlinkedFirst', 'D1', 'I10', 'warm=1 destroys=1 crashes=1 tries=4 publishes=1'),
  mutant('burialSilent', '', 'I11', 'warm=1 readers=0 waiters=1 destroys=1'),
  // The successor's.
  mutant('tombstoneOverlooked', 'T1', 'I6', 'warm=1 destroys=1 publishes=1 crashes=1 tries=4'),
  mutant('suspectTrusted', '', 'I9', 'warm=1 readers=0 crashes=1 publishes=2'),
  mutant('numberRestarted', '', 'I6', 'warm=1 publishes=2 crashes=1'),
  mutant('notReannounced', 'W4', 'I3', 'warm=1 crashes=1 publishes=2'),
  mutant('takeoverSilent', '', 'I11', 'warm=1 readers=0 waiters=1 crashes=1'),
  mutant('reuseChanged', '', 'I1', 'warm=1 reuse=0 crashes=1 publishes=2'),
  // A waiter's.
  mutant('flagNotRaised', '', 'I11', 'warm=1 readers=0 waiters=2'),
  mutant('expectedLate', '', 'I11', 'warm=1 readers=0 waiters=2'),
];

const root = fileURLToPath(new URL('../../..', import.meta.url));

export const compiler = (): [string, ...string[]] => {
  const [command = 'g++', ...flags] = (process.env['CXX'] ?? 'g++').split(' ');
  return [command, ...flags];
};

/** Compiles the explorer into `directory`; returns the program's path. */
export function compileExplorer(directory: string): string {
  const program = join(directory, 'explorer');
  const [command, ...flags] = compiler();
  execFileSync(
    command,
    [...flags, '-O2', '-std=c++20', '-Wall', '-Wextra', '-Werror', '-o', program, 'test/native/explorer.cc'],
    { cwd: root },
  );
  return program;
}

/** @param isVariant Whether the run's name is that of a mutant of the program. */
export function explore(program: string, run: Run, isVariant: boolean): Outcome {
  const { stdout, stderr, status, error } = spawnSync(
    program,
    [...run.bounds.split(' '), ...(isVariant ? [`mutant=${run.name}`] : [])],
    { encoding: 'utf8', maxBuffer: 2 ** 28 },
  );
  if (error) throw error;
  if (status !== 0) throw new Error(`the explorer failed (${run.name}, ${run.bounds}): ${stderr}`);
  const end = stdout.indexOf('\n');
  return { ...JSON.parse(stdout.slice(0, end)), trace: stdout.slice(end + 1) };
}
